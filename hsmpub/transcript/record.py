"""The transcript: what a ceremony did, step by step, for people to read and for `hsmpub-ceremony verify` to check.

It is JSON with one step on each line. Each step holds the SHA-256 of the line before it, and the log key (in the HSM)
and the keeper's identity sign the whole. What is verified is the file's exact bytes; nothing is encoded again.

    {"head":{…},"steps":[
    {"number":1,"at":…,"what":"…","facts":{…},"previous":"<sha256 of the head>"},
    {"number":2,"at":…,"what":"…","facts":{…},"previous":"<sha256 of the line before, without its comma>"}
    ],"signatures":[
    {"signer":"log","key":"…","sha256":"<of everything above>","signature":"…"},
    {"signer":"keeper","key":"…","sha256":"…","signature":"…"}
    ]}
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Self

import msgspec

Ceremony = Literal[
    "genesis", "restore", "reshare", "reshare-finish", "pin-change", "so-pin-change", "break-glass", "offboard",
    "drill", "unseal", "upgrade", "seal",
    "key-generate", "key-rotate", "key-retire", "key-destroy", "csr", "certificate-import", "openpgp-subkey",
]  # fmt: skip
Signer = Literal["log", "keeper"]
#: What the keeper's identity may sign alone: the log key is in the HSM, and the HSM is closed. A drill of an unsealed
#: service is signed by both. An offboarding runs beside the service, which alone has the HSM.
KEEPER_ALONE: frozenset[Ceremony] = frozenset({"seal", "drill", "offboard"})
#: Signs the exact bytes that it is given (Ed25519): 64 raw bytes.
Sign = Callable[[bytes], bytes]


class Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """rehearsal: nothing of it lasts; the keys were thrown away."""

    transcript: Literal["hsmpub transcript v1"]
    ceremony: Ceremony
    service: str
    rehearsal: bool


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """number: from 1; at: seconds since 1970; what: name of the step; facts: what it made, nothing secret;
    previous: SHA-256 (hex) of the line before."""

    number: int
    at: int
    what: str
    facts: dict[str, Any]
    previous: str


class Seal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """key: of the signer, as trust.json has it; sha256: of the body; signature: Ed25519, hex."""

    signer: Signer
    key: str
    sha256: str
    signature: str


class Transcript(msgspec.Struct, frozen=True):
    """A parsed transcript. sha256: of the file's bytes, hex, as the log's first entry has it."""

    head: Head
    steps: tuple[Step, ...]
    seals: tuple[Seal, ...]
    sha256: str

    def facts(self, what: str) -> Mapping[str, Any]:
        """Facts of the first step of that name; none if there is no such step."""
        return next((step.facts for step in self.steps if step.what == what), {})


_encoder = msgspec.json.Encoder()
_OPEN_HEAD, _OPEN_STEPS = b'{"head":', b',"steps":[\n'
OPEN_SEALS = b'\n],"signatures":[\n'
CLOSE = b"\n]}\n"


def message_to_sign(body: bytes) -> bytes:
    """What both signers sign: no checkpoint, session or attempt begins like it."""
    return b"hsmpub transcript v1\n" + hashlib.sha256(body).hexdigest().encode() + b"\n"


class Recorder:
    """Writes a transcript as the ceremony goes.

    Args:
        now: seconds since 1970.
        told: called with each step as it is recorded, for whoever watches.
    """

    def __init__(
        self, ceremony: Ceremony, service: str, now: Callable[[], int], told: Callable[[Step], None], rehearsal: bool
    ) -> None:
        self._now = now
        self._told = told
        head = _encoder.encode(Head("hsmpub transcript v1", ceremony, service, rehearsal))
        self._head = _OPEN_HEAD + head
        self._previous = head
        self._lines: list[bytes] = []

    @classmethod
    def continued(cls, text: str, now: Callable[[], int], told: Callable[[Step], None]) -> Self:
        """A recorder that goes on after what another one had recorded: its `text`."""
        head, lines = head_and_lines(text.encode())
        recorder = cls.__new__(cls)
        recorder._now, recorder._told, recorder._head = now, told, _OPEN_HEAD + head
        recorder._lines = [line for line in lines if line]
        recorder._previous = recorder._lines[-1] if recorder._lines else head
        return recorder

    @property
    def text(self) -> str:
        """Everything recorded so far."""
        return (self._head + _OPEN_STEPS + b",\n".join(self._lines)).decode()

    def record(self, what: str, **facts: Any) -> None:
        """Adds a step. facts: JSON values, public ones only."""
        previous = hashlib.sha256(self._previous).hexdigest()
        step = Step(len(self._lines) + 1, self._now(), what, facts, previous)
        self._previous = _encoder.encode(step)
        self._lines.append(self._previous)
        self._told(step)

    def sign(self, signers: Sequence[tuple[Signer, str, Sign]]) -> bytes:
        """The finished file. signers: signer, its public key as trust.json has it, and its signature function."""
        message = self.message()
        return self.finish([(signer, key, sign(message)) for signer, key, sign in signers])

    def message(self) -> bytes:
        """What is to be signed of the steps so far."""
        return message_to_sign(self._body())

    def finish(self, signatures: Sequence[tuple[Signer, str, bytes]]) -> bytes:
        """The finished file. signatures: signer, its public key as trust.json has it, its signature of `message`."""
        body = self._body()
        digest = hashlib.sha256(body).hexdigest()
        seals = [Seal(signer, key, digest, signature.hex()) for signer, key, signature in signatures]
        return body + OPEN_SEALS + b",\n".join(_encoder.encode(seal) for seal in seals) + CLOSE

    def _body(self) -> bytes:
        return self._head + _OPEN_STEPS + b",\n".join(self._lines)


def head_and_lines(body: bytes) -> tuple[bytes, list[bytes]]:
    """The head's JSON and the steps' lines. Raises ValueError: not of this form."""
    start, mark, steps = body.partition(_OPEN_STEPS)
    if not mark or not start.startswith(_OPEN_HEAD):
        raise ValueError("not a transcript")
    return start.removeprefix(_OPEN_HEAD), steps.split(b",\n")


def dump_line(value: Head | Step | Seal) -> bytes:
    """The one encoding of a line."""
    return _encoder.encode(value)
