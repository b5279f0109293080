"""Step 7: files at hand against the receipt: artifacts by digest, signature files by digest and cryptography."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from hsmpub.errors import Invalid
from hsmpub.formats.cms.stamp import Stamped
from hsmpub.formats.context import context_of
from hsmpub.formats.format import Artifact
from hsmpub.formats.registry import FORMATS, get_format
from hsmpub.formats.salted import details_to_check
from hsmpub.formats.sha256state import FileHash, Sha256State
from hsmpub.formats.source import Source
from hsmpub.model import entry as e
from hsmpub.model.digest import sha256_hex
from hsmpub.model.statement import Statement
from hsmpub.receipt.facts import Facts
from hsmpub.receipt.outputs import TAG_ARTIFACT, Made
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
    """A file at hand. content: its bytes where it is no larger than MAX_SIGNATURE_BYTES, else None; source: to look
    for a signature that is in the file."""

    name: str
    hash: FileHash
    content: bytes | None = None
    source: Source | None = None


def check_files(
    facts: Facts, statement: Statement, made: Sequence[Made], files: Sequence[GivenFile]
) -> tuple[tuple[str, ...], tuple[SignatureSeen, ...]]:
    """Finds each file's place in the receipt, then verifies every signature over an artifact that is at hand.

    Returns: names of the subjects whose files are the same, and every signature with what was seen of it.

    Raises:
        FileDiffers, FileNotInReceipt, SignatureFails.
    """
    artifacts: dict[str, GivenFile] = {}
    contents: dict[str, bytes] = {}
    holding: dict[str, Source] = {}
    for file in files:
        digest = file.hash.digest().hex()
        if any(digest == subject.sha256 for subject in statement.subject):
            artifacts[digest] = file
        elif file.content is not None and any(digest == m.output.sha256 for m in made):
            contents[digest] = file.content
        elif held := _signature_in(file, made):
            contents[held.output.sha256], holding[held.output.sha256] = held.content, held.source
        else:
            raise _stranger(file, digest, statement, made)
    same = tuple(subject.name for subject in statement.subject if subject.sha256 in artifacts)
    return same, tuple(_see(facts, statement, one, artifacts, contents, holding) for one in made)


class _Held(NamedTuple):
    output: e.Output
    content: bytes
    source: Source


def _signature_in(file: GivenFile, made: Sequence[Made]) -> _Held | None:
    """The recorded signature that a signed file holds; None: it holds none of the receipt's."""
    for one in made:
        form = FORMATS.get(one.output.format)
        # a detached signature with a timestamp in it is another file than the one that was logged
        if file.source is None or form is None or not (form.embedded or isinstance(form, Stamped)):
            continue
        try:
            content = form.detach(file.source)
        except Invalid:
            continue  # no file of that kind at all
        if content is not None and sha256_hex(content) == one.output.sha256:
            return _Held(one.output, content, file.source)
    return None


def _stranger(file: GivenFile, digest: str, statement: Statement, made: Sequence[Made]) -> Invalid:
    known = {s.name: s.sha256 for s in statement.subject} | {m.output.name: m.output.sha256 for m in made}
    if file.name in known:
        return FileDiffers(f"{file.name} has SHA-256 {digest}; the receipt says {known[file.name]}.")
    return FileNotInReceipt(f"The receipt knows no file {file.name!r} with SHA-256 {digest}.")


def _see(
    facts: Facts, statement: Statement, made: Made, artifacts: Mapping[str, GivenFile], contents: Mapping[str, bytes],
    holding: Mapping[str, Source],
) -> SignatureSeen:  # fmt: skip
    output = made.output
    content = contents.get(output.sha256) or output.content
    given = output.sha256 in contents
    if output.artifact.startswith(TAG_ARTIFACT):  # verified with the entries: it is whole in the log
        return SignatureSeen(output.artifact, output.name, output.format, output.key, output.sha256, True, given)
    form, file = get_format(output.format), artifacts.get(made.artifact_sha256)
    source = holding.get(output.sha256) or (file.source if file else None)
    checked = bool(content) and (source is not None if form.detail_limit else file is not None)
    if checked:
        try:
            details = details_to_check(form, source, content) if source is not None else {}
            state = file.hash if file else Sha256State.of(b"")  # a format with a detail asks for nothing else
            image = next((s.image for s in statement.subject if s.name == output.artifact), "")
            artifact = Artifact(output.artifact, state, details, image)
            form.check(content, artifact, made.key, context_of(statement.predicate, facts.genesis.service, made.at))
        except Invalid as error:
            raise SignatureFails(f"The signature {output.name!r} fails: {error.detail}") from error
    return SignatureSeen(output.artifact, output.name, output.format, output.key, output.sha256, checked, given)
