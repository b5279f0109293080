"""Step 7: files at hand against the receipt: artifacts by digest, signature files by digest and cryptography."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hsmpub.errors import Invalid
from hsmpub.formats.format import Artifact
from hsmpub.formats.registry import get_format
from hsmpub.formats.sha256state import FileHash
from hsmpub.model.statement import Statement
from hsmpub.receipt.facts import Facts
from hsmpub.receipt.outputs import TAG_ARTIFACT, Made, context_of
from hsmpub.receipt.report import SignatureSeen

#: A signature file is never larger; the content of larger files is not wanted.
MAX_SIGNATURE_BYTES = 1024 * 1024


class FileDiffers(Invalid):
    """The receipt names a file of this name with another digest."""

    advice = "The file is not the one that was signed. Get it again from where it was published."


class FileNotInReceipt(Invalid):
    advice = "The receipt says nothing about this file; give the receipt that belongs to it."


class SignatureFails(Invalid):
    advice = "The signature does not fit the file and the key that the log names; do not use the file."


@dataclass(frozen=True)
class GivenFile:
    """A file at hand. content: its bytes where it is no larger than MAX_SIGNATURE_BYTES, else None."""

    name: str
    hash: FileHash
    content: bytes | None = None


def check_files(
    facts: Facts, statement: Statement, made: Sequence[Made], files: Sequence[GivenFile]
) -> tuple[tuple[str, ...], tuple[SignatureSeen, ...]]:
    """Finds each file's place in the receipt, then verifies every signature over an artifact that is at hand.

    Returns: names of the subjects whose files are the same, and every signature with what was seen of it.

    Raises:
        FileDiffers, FileNotInReceipt, SignatureFails.
    """
    artifacts: dict[str, FileHash] = {}
    contents: dict[str, bytes] = {}
    for file in files:
        digest = file.hash.digest().hex()
        if any(digest == subject.sha256 for subject in statement.subject):
            artifacts[digest] = file.hash
        elif file.content is not None and any(digest == m.output.sha256 for m in made):
            contents[digest] = file.content
        else:
            raise _stranger(file, digest, statement, made)
    same = tuple(subject.name for subject in statement.subject if subject.sha256 in artifacts)
    return same, tuple(_see(facts, statement, one, artifacts, contents) for one in made)


def _stranger(file: GivenFile, digest: str, statement: Statement, made: Sequence[Made]) -> Invalid:
    known = {s.name: s.sha256 for s in statement.subject} | {m.output.name: m.output.sha256 for m in made}
    if file.name in known:
        return FileDiffers(f"{file.name} has SHA-256 {digest}; the receipt says {known[file.name]}.")
    return FileNotInReceipt(f"The receipt knows no file {file.name!r} with SHA-256 {digest}.")


def _see(
    facts: Facts, statement: Statement, made: Made, artifacts: dict[str, FileHash], contents: dict[str, bytes]
) -> SignatureSeen:
    output = made.output
    content = contents.get(output.sha256) or output.text.encode()
    is_tag = output.artifact.startswith(TAG_ARTIFACT)
    state = artifacts.get(made.artifact_sha256)
    if state is not None and content and not is_tag:
        context = context_of(facts, statement, made.at)
        try:
            get_format(output.format).check(content, Artifact(output.artifact, state), made.key, context)
        except Invalid as e:
            raise SignatureFails(f"The signature {output.name!r} fails: {e.detail}") from e
        checked = True
    else:
        checked = is_tag  # a tag was verified with the entries: it is whole in the log
    given = output.sha256 in contents
    return SignatureSeen(output.artifact, output.name, output.format, output.key, output.sha256, checked, given)
