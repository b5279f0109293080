"""What requests for certificates are about, said in the statement, so that approvers see more than a file's digest."""

from __future__ import annotations

from collections.abc import Sequence

from hsmpub.formats.registry import get_format
from hsmpub.formats.x509.certificate import in_words
from hsmpub.keeper.artifacts import Artifacts
from hsmpub.keeper.book import Book
from hsmpub.model import submission as s
from hsmpub.policy import ReleaseGrant

_FORMAT = "x509-certificate"


async def certified(
    book: Book, artifacts: Artifacts, files: Sequence[s.FileRef], rule: ReleaseGrant
) -> tuple[str, ...]:
    """In words, for each file, empty for those that ask for none; nothing where no file does. What the profile does not
    take is refused before anybody is asked to approve it.

    Raises:
        The rules of hsmpub.formats.x509, of the artifact store, and KeyRetired.
    """
    profile = book.policy.profiles(rule.project, rule.sign).certificate
    if profile is None:
        return ()
    [maker] = [one.key for one in rule.sign if _FORMAT in one.formats]
    key, form, said = book.signing_key(maker), get_format(_FORMAT), []
    for file in files:
        if not any(_FORMAT in one.formats for one in rule.of(file.name)):
            said.append("")
            continue
        artifact = await artifacts.hashed(file.sha256, file.name, [form])
        said.append(in_words(artifact.details[_FORMAT], key, profile, book.now()))
    return tuple(said)
