"""A signed annotated git tag as the exact bytes of its object: `git verify-tag`, `git fsck --strict`.

    made = prepare_tag(tag, key)
    content = assemble_tag(made, hsm.sign(made.prepared.payload))
    check_tag(content, tag, key)

The service builds the whole tag; the requester chooses none of the signed bytes freely. In the OpenPGP form a tag's
signature is an ordinary signature over a document: whoever may have any file signed in format `openpgp` with
that key could make a tag of it. Let release tags have a key that signs no requester's files, or the SSH form,
whose namespace `git` no file signature carries.
Source: git, Documentation/gitformat-signature ("tag signatures"); git-check-ref-format(1).
"""

from __future__ import annotations

import hashlib
import re
from typing import Literal

import msgspec

from hsmpub.errors import Invalid
from hsmpub.formats.context import Context
from hsmpub.formats.format import Artifact, Prepared
from hsmpub.formats.git_tag_read import check_tag
from hsmpub.formats.openpgp.detached import OpenPgp
from hsmpub.formats.purposes import check_may_make
from hsmpub.formats.sha256state import HeldSha256
from hsmpub.formats.ssh.sshsig import SshSig, assemble_sshsig, prepare_sshsig
from hsmpub.model.key import KeyRecord

__all__ = ["GitTag", "PreparedTag", "TagMalformed", "assemble_tag", "check_tag", "prepare_tag", "tag_object_id"]

TagForm = Literal["openpgp", "sshsig"]

_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_NAME = re.compile(r"(?!.*(\.\.|//|/\.|\.lock(/|$)))[A-Za-z0-9_][A-Za-z0-9._+!/-]{0,198}(?<![./])")
_PERSON = re.compile(r"[^\x00-\x20\x7f<>]([^\x00-\x1f\x7f<>]{0,98}[^\x00-\x20\x7f<>])?")
_EMAIL = re.compile(r"[^\x00-\x20\x7f<>]{1,200}")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_MAX_MESSAGE_BYTES = 20_000

_openpgp, _sshsig = OpenPgp(), SshSig()


class TagMalformed(Invalid):
    advice = "git would not take such a tag, or would show it wrongly."


class GitTag(msgspec.Struct, frozen=True):
    """An annotated tag. commit: 40 or 64 hex characters; at: seconds since 1970, written as UTC."""

    commit: str
    name: str
    tagger: str
    email: str
    at: int
    message: str


class PreparedTag(msgspec.Struct, frozen=True):
    """content: the object without its signature; prepared: what the HSM signs."""

    content: bytes
    form: TagForm
    prepared: Prepared


def check_tag_fields(tag: GitTag) -> None:
    """Raises TagMalformed: a field that git refuses, or that could pass for another part of the object."""
    problems = {
        "commit is not 40 or 64 lower-case hex characters": not _COMMIT.fullmatch(tag.commit),
        "name is not one that git takes": not _NAME.fullmatch(tag.name),
        "tagger's name holds what ends a name": not _PERSON.fullmatch(tag.tagger),
        "e-mail address is none that git takes": not _EMAIL.fullmatch(tag.email),
        "time is not one of the years 1970 to 2106": not 0 < tag.at < 2**32,
        "message is empty or too long, or holds control characters or a signature": not _is_plain_message(tag.message),
    }
    for problem, wrong in problems.items():
        if wrong:
            raise TagMalformed(f"The tag's {problem}.")


def _is_plain_message(text: str) -> bool:
    """Some text, no control characters, and no line that git would take for the start of a signature."""
    plain = bool(text.strip()) and not _CONTROL.search(text) and len(text.encode()) <= _MAX_MESSAGE_BYTES
    return plain and not any(line.startswith("-----BEGIN") for line in text.split("\n"))


def tag_content(tag: GitTag) -> bytes:
    """The object's bytes before the signature. Raises TagMalformed."""
    check_tag_fields(tag)
    head = f"object {tag.commit}\ntype commit\ntag {tag.name}\ntagger {tag.tagger} <{tag.email}> {tag.at} +0000\n"
    return f"{head}\n{tag.message.rstrip()}\n".encode()


def prepare_tag(tag: GitTag, key: KeyRecord, form: TagForm = "openpgp") -> PreparedTag:
    """What the HSM signs for a tag. The key must be allowed to make the format that the form is named for.

    Raises:
        TagMalformed, FormatNotAllowed, KeyKindUnfit, PurposesMixed.
    """
    content = tag_content(tag)
    hasher = hashlib.sha256(content)
    if form == "sshsig":
        check_may_make(_sshsig, key)
        return PreparedTag(content, form, prepare_sshsig(hasher.digest(), key, "git"))
    artifact = Artifact(tag.name, HeldSha256(hasher, len(content)))
    return PreparedTag(content, form, _openpgp.prepare(artifact, key, Context(at=tag.at)))


def assemble_tag(made: PreparedTag, signature: bytes) -> bytes:
    """Exact bytes of the object, as `git hash-object -t tag --stdin` takes them. Raises RawSignatureMalformed."""
    if made.form == "sshsig":
        return made.content + assemble_sshsig(made.prepared, signature)
    return made.content + _openpgp.assemble(made.prepared, signature)


def tag_object_id(content: bytes, *, sha256: bool = False) -> str:
    """The object's name in git, hex; `sha256` for a repository of that object format."""
    data = b"tag %d\0%b" % (len(content), content)
    return (hashlib.sha256(data) if sha256 else hashlib.sha1(data, usedforsecurity=False)).hexdigest()
