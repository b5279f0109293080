"""What a CI job sends, before the keeper turns it into a statement.

The job authenticates the exact bytes with its session key. JSON, closed set; unknown members are refused. What people
ask: hsmpub.model.personal.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import chain

import msgspec

from hsmpub.errors import Invalid
from hsmpub.model.attested import Attestation, check_attestation
from hsmpub.model.digest import is_sha256_hex
from hsmpub.model.image import check_image_name

MAX_FILES = 256
#: More than there are; each is asked of the policy.
MAX_FORMATS = 64
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+!~-]{0,199}")
_VERSION_FORM = "is not 1 to 100 letters, digits and '.+!_~-', the first a letter or digit"
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+!_~-]{0,99}")
_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")


class HostileName(Invalid):
    advice = "Use letters, digits and . _ + ! ~ - only, not starting with a dot or dash, at most 200 characters."


class MalformedSubmission(Invalid):
    pass


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="ask", omit_defaults=True):
    """`ask` says which it is."""


class FileRef(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A file that was uploaded before: its name, SHA-256 (hex) and size in bytes. image: its repository, where the file
    is an image's manifest. formats: as in HashState; a release names none, its policy does."""

    name: str
    sha256: str
    size: int
    image: str = ""
    formats: tuple[str, ...] = ()


class AskRelease(Body, frozen=True, tag="release"):
    project: str
    version: str
    commit: str
    files: tuple[FileRef, ...]
    attest: Attestation | None = None

    @property
    def everything(self) -> tuple[FileRef, ...]:
        """Every file."""
        return self.files


class HashState(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A file that stays with the client: name, and its unfinished SHA-256 (see hsmpub.formats.sha256state).

    h: the eight chaining words, 64 hex characters; tail: the unhashed rest, hex, under 64 bytes; size: bytes in all;
    details: format name → what that format needs beside the hash (`Format.extract`), base64. image: as in FileRef.
    formats: those of the request's that the file takes; empty: all of them.
    """

    name: str
    h: str
    tail: str
    size: int
    details: dict[str, bytes] = {}
    image: str = ""
    formats: tuple[str, ...] = ()


class AskSign(Body, frozen=True, tag="sign"):
    """Routine signing: one or many files, each by state of its hash or by upload. formats: all that any file takes.
    attest: said of all that take the format for it."""

    project: str
    formats: tuple[str, ...]
    key: str = ""
    states: tuple[HashState, ...] = ()
    files: tuple[FileRef, ...] = ()
    attest: Attestation | None = None

    @property
    def everything(self) -> tuple[HashState | FileRef, ...]:
        """Every file, however it is asked for."""
        return (*self.states, *self.files)


CiBody = AskRelease | AskSign
_ci: msgspec.json.Decoder[CiBody] = msgspec.json.Decoder(CiBody)
_encoder = msgspec.json.Encoder()


def dump_submission(body: Body) -> bytes:
    return _encoder.encode(body)


def load_ci_submission(data: bytes) -> CiBody:
    """Raises MalformedSubmission, HostileName, ImageNameMalformed, PredicateRefused, PredicateTypeReserved."""
    try:
        body = _ci.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as e:
        raise MalformedSubmission(f"The request cannot be read: {e}.") from None
    check_names(body)
    return body


def check_file_name(name: str) -> None:
    """Raises HostileName: anything but a plain, portable base name."""
    if not _NAME.fullmatch(name):
        raise HostileName(f"The file name {name[:80]!r} is not a plain base name.")


def check_names(body: CiBody) -> None:
    """Names, digests, version and commit have plain shapes; no name comes twice."""
    everything = body.everything
    if not everything:
        raise MalformedSubmission("The request names no file.")
    if len(everything) > MAX_FILES:
        raise MalformedSubmission(f"The request names {len(everything)} files; {MAX_FILES} is the most.")
    for file in everything:
        check_file_name(file.name)
        if file.image:
            check_image_name(file.image)
    if len(everything) > 1:
        _check_named_once([file.name for file in everything])
    for upload in body.files:
        if not is_sha256_hex(upload.sha256) or upload.size < 0:
            raise MalformedSubmission("A file of the request lacks a SHA-256 digest or a size.")
    _check_formats(body, everything)
    if body.attest is not None:
        check_attestation(body.attest)
    if isinstance(body, AskRelease):
        if not _VERSION.fullmatch(body.version):
            raise MalformedSubmission(f"The version {body.version[:80]!r} {_VERSION_FORM}.")
        if not _COMMIT.fullmatch(body.commit):
            raise MalformedSubmission(
                "The commit is not 40 or 64 lower-case hex characters.",
                next_step="Name it in full, as 'git rev-parse HEAD' does.",
            )


def _check_named_once(names: Sequence[str]) -> None:
    if len(set(names)) != len(names):
        twice = next(name for at, name in enumerate(names) if name in names[:at])
        raise MalformedSubmission(
            f"The request names the file {twice!r} twice.",
            next_step="Name each file once; files of one name in different folders go into requests of their own.",
        )


def _check_formats(body: CiBody, files: Iterable[HashState | FileRef]) -> None:
    """What files take is what the request names, no more and no less."""
    named = body.formats if isinstance(body, AskSign) else ()
    if len(named) > MAX_FORMATS:
        raise MalformedSubmission(f"The request names {len(named)} formats; {MAX_FORMATS} is the most.")
    taken = [file.formats for file in files]  # by each; empty: all of them
    if not any(taken):
        return
    if isinstance(body, AskRelease):
        raise MalformedSubmission("A file of a release takes formats of its own; the policy says what it is signed as.")
    if any(len(set(formats)) != len(formats) or not set(formats) <= set(named) for formats in taken):
        raise MalformedSubmission("A file takes a format that the request does not name, or one twice.")
    if all(taken) and set(named) != set(chain.from_iterable(taken)):
        raise MalformedSubmission("The request names a format that no file takes.")
