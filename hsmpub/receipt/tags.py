"""A signed git tag in a receipt: of the commit, version and key that the statement and the policy name."""

from __future__ import annotations

import re

from hsmpub.errors import Invalid
from hsmpub.formats.git_tag import GitTag
from hsmpub.formats.git_tag_read import check_tag, split_signature
from hsmpub.model.entry import Output
from hsmpub.model.key import KeyRecord
from hsmpub.model.predicate import Predicate
from hsmpub.policy.model import Target

TAG_FORMAT = "git-tag"
_TAGGER = re.compile(rb"\ntagger ([^\x00-\x1f<>]+) <([^\x00-\x20<>]+)> ([0-9]{1,12}) \+0000\n\n")


class TagOtherwise(Invalid):
    advice = "The service signed another tag than was asked for: ask whoever runs it, with this receipt at hand."


def check_tag_output(
    output: Output, key: KeyRecord, target: Target, predicate: Predicate, service: str, at: int
) -> None:
    """Verifies the tag object that is kept in the log.

    Raises:
        TagOtherwise: another name, key, tagger or time than policy and entry say.
        TagUnsigned, TagDiffers, SignatureDoesNotVerify: see hsmpub.formats.git_tag_read.
    """
    name = target.tag.replace("{version}", predicate.version).replace("{project}", predicate.project)
    content = output.content
    signed, _ = split_signature(content)
    head = _TAGGER.search(signed)
    if head is None or output.name != name or key.name != target.key:
        raise TagOtherwise(f"The tag {output.name!r} is not the one that the policy asks for.")
    tagger, email, when = head[1].decode(errors="replace"), head[2].decode(errors="replace"), int(head[3])
    if tagger != service or when != at:
        raise TagOtherwise(f"The tag {output.name!r} names another tagger or time than the log.")
    message = signed[head.end() :].decode(errors="replace")
    check_tag(content, GitTag(predicate.commit, name, tagger, email, when, message), key)
