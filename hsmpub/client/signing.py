"""Routine signing of many files: hashed here, asked for in batches, every signature checked before anybody sees it.

1. hash (or upload) each file, 2. ask for a batch, 3. check each output with the pinned key and with code that shares
nothing with what made it, 4. give results file by file: one bad file spoils no other. The asking is in
hsmpub.client.asks.files.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from hsmpub.artifact.source import PathSource
from hsmpub.client.seen import Seen
from hsmpub.client.session import CiSession
from hsmpub.client.sha256 import FinishBegun, hash_and_look, nothing_begun
from hsmpub.client.trust import pinned_key
from hsmpub.client.upload import FileUnreadable, Progress
from hsmpub.errors import Broken, HsmpubError, Problem
from hsmpub.formats.format import Artifact, Format
from hsmpub.formats.purposes import BEARER_FORMATS
from hsmpub.formats.registry import get_format
from hsmpub.formats.salted import Salted, details_to_check
from hsmpub.formats.sha256state import FileHash, Sha256State
from hsmpub.formats.source import Details
from hsmpub.model.submission import FileRef, HashState, check_file_name
from hsmpub.model.trust import Trust
from hsmpub.wire.messages import MadeSignature, SignReply

#: Of smaller files nothing noted is kept: they are looked through again sooner than thousands of them are remembered.
NOTED_FROM = 16 << 20


class SignatureMissing(Broken):
    advice = "Nothing was written for this file; report it with the request's name."


class Work(msgspec.Struct, frozen=True):
    """A file that is ready to be signed in these formats: by its unfinished hash, or as an upload.

    details: what formats need beside the hash, to check what comes (`Format.extract`). seen: what they noted of a large
    file.
    """

    path: Path
    formats: tuple[str, ...]
    hash: FileHash
    ask: HashState | FileRef
    details: Details = {}
    seen: Seen | None = None


class Embedded(msgspec.Struct, frozen=True):
    """A signature that goes into its file. name: of the output; key: the key's name."""

    name: str
    format: str
    key: str
    output: bytes


class Made(msgspec.Struct, frozen=True):
    """What came of one file. outputs: file name → exact bytes; problems: why others were not made.

    embedded: those of the outputs that go into the file; keys: format → the key that made its output. seen: as in Work.
    """

    path: Path
    hash: FileHash
    entry: int
    outputs: dict[str, bytes]
    problems: tuple[Problem, ...] = ()
    embedded: tuple[Embedded, ...] = ()
    keys: dict[str, str] = {}
    seen: Seen | None = None


class Signed(msgspec.Struct, frozen=True):
    """A file whose signatures verified and are in the log. outputs: file name → exact bytes; problems: why others were
    not made; receipt: exact bytes of the batch's, empty where nothing was made."""

    path: Path
    outputs: dict[str, bytes]
    problems: tuple[Problem, ...]
    receipt: bytes


def digest_work(
    path: Path, formats: Sequence[str], *, progress: Progress | None = None, begun: FinishBegun = nothing_begun
) -> Work:
    """Hashes, as `hash_and_look` does; the file stays here. Raises HostileName, FileUnreadable, FileChanged,
    LibcryptoMissing, and the rules of a format's `extract`."""
    check_file_name(path.name)
    try:
        state, seen = hash_and_look(path, formats=list(map(get_format, formats)), progress=progress, begun=begun)
    except OSError as e:
        raise FileUnreadable(f"{path} cannot be read: {e.strerror}.") from None
    kept = seen if state.size >= NOTED_FROM else None
    return Work(path, tuple(formats), Sha256State.of_state(state), state, state.details, kept)


def asks_of(works: Sequence[Work], formats: Sequence[str]) -> tuple[list[HashState], list[FileRef]]:
    """What a request names of each file; its formats where it does not take all. formats: that any of them takes."""
    asks = [work.ask if len(work.formats) == len(formats) else
            msgspec.structs.replace(work.ask, formats=work.formats) for work in works]  # fmt: skip
    return [ask for ask in asks if isinstance(ask, HashState)], [ask for ask in asks if isinstance(ask, FileRef)]


def made_of(work: Work, reply: SignReply, trust: Trust, session: CiSession) -> Made:
    """What an answer holds for one file, each checked with the pinned key. session: to which tokens are sealed."""
    outputs: dict[str, bytes] = {}
    problems: list[Problem] = []
    embedded: list[Embedded] = []
    keys: dict[str, str] = {}
    for name in work.formats:
        found = [made for made in reply.made if made.artifact == work.path.name and made.format in (name, "")]
        form = get_format(name)
        try:
            output = outputs[form.output_name(work.path.name)] = _checked(work, found, trust, session, reply.request)
        except HsmpubError as e:
            problems.append(getattr(e, "problem", None) or Problem.of(e))
            continue
        keys[name] = found[0].key
        if form.embedded:
            embedded.append(Embedded(form.output_name(work.path.name), name, found[0].key, output))
    return Made(work.path, work.hash, reply.entry, outputs, tuple(problems), tuple(embedded), keys,
                work.seen)  # fmt: skip


def _checked(
    work: Work, found: Sequence[MadeSignature], trust: Trust, session: CiSession, request: str
) -> bytes:  # fmt: skip
    if len(found) != 1:
        raise SignatureMissing(f"The service gave {len(found)} signatures where one was asked for.")
    if found[0].problem is not None:
        raise found[0].problem.as_error()
    output, key = found[0].output, pinned_key(trust, found[0].key)
    if found[0].format in BEARER_FORMATS:
        output = session.open_answer(output, request, work.path.name)
    form, details = get_format(found[0].format), work.details
    if isinstance(form, Salted) and form.name not in details:  # uploaded: the salt is the service's
        details = {**details, **_after_its_salt(work.path, form, output)}
    form.check(output, Artifact(work.path.name, work.hash, details, work.ask.image), key)
    return output


def _after_its_salt(path: Path, form: Format, output: bytes) -> Details:
    try:
        return details_to_check(form, PathSource(path), output)
    except OSError as e:
        raise FileUnreadable(f"{path} cannot be read any more: {e.strerror}.") from None
