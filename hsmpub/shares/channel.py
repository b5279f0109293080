"""What a parent and its share-handling child say to each other: a closed set, framed, over the child's pipes.

A frame is a four-byte big-endian length and one msgpack map. Key material never travels in a frame to the parent:
it goes through a pipe of its own, from which the parent reads straight into a secret page.
"""

from __future__ import annotations

import os
from typing import TypeVar

import msgspec

from hsmpub.errors import HsmpubError, Problem
from hsmpub.shares.box import Box
from hsmpub.shares.plan import QuorumPlan
from hsmpub.shares.record import Purpose
from hsmpub.shares.rules import RULES

MAX_FRAME = 1 << 20


class _Msg(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type"):
    pass


class Gather(_Msg, frozen=True, tag="gather"):
    """First message to a gathering child; `seal_size` raw bytes follow it: a new PIN, to be sealed as well.

    boxes: what is to be opened, in the order of release.

    record: JSON of the quorum's record; attempt: 16 bytes; lifetime: seconds, after which the child ends by itself;
    release_fd: the pipe to which it writes what the secret opens.
    drill: prove and release nothing; keeper_key: the pinned one, raw Ed25519, for the drill of a recovery quorum.
    """

    purpose: Purpose
    record: bytes
    attempt: bytes
    lifetime: int
    release_fd: int
    boxes: tuple[Box, ...]
    seal_size: int = 0
    drill: bool = False
    keeper_key: bytes = b""


class Gathers(_Msg, frozen=True, tag="gathers"):
    """key: raw X25519 public key of this attempt; protections: of this child, name → "on" or why it is off."""

    key: bytes
    protections: dict[str, str]


class HandInBox(_Msg, frozen=True, tag="box"):
    """terms: of hsmpub.model.terms.dump_terms; shares under different terms never come together."""

    holder: str
    box: bytes
    terms: bytes = b""


class HandInFile(_Msg, frozen=True, tag="file"):
    """A share at the ceremony machine. file: an age file, or the words themselves; the holder's identity follows
    the frame as `identity_size` raw bytes (0 for words)."""

    holder: str
    file: bytes
    identity_size: int


class Accepted(_Msg, frozen=True, tag="accepted"):
    """released: bytes that were written to the release pipe, one number for each secret; empty before the k-th.

    sealed: the box of what was sent to be sealed.
    proven: in a drill, what the secret was shown to open; empty before the k-th.
    """

    holders: tuple[str, ...]
    released: tuple[int, ...] = ()
    sealed: bytes = b""
    proven: tuple[str, ...] = ()


class Split(_Msg, frozen=True, tag="split"):
    """The one message to a splitting child. The PIN follows as `pin_size` raw bytes (unseal only), then, for a
    reshare, the PIN that is in force until then.

    service: for share cards; avoid: SLIP-39 identifiers of earlier sets; cards: for each holder with paper instead of
    a key, in their order, the file descriptor to which the card is written.
    """

    purpose: Purpose
    epoch: int
    plan: QuorumPlan
    avoid: tuple[int, ...]
    pin_size: int
    old_pin_size: int = 0
    service: str = ""
    cards: tuple[int, ...] = ()


class MadeShare(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """commitment, verifier: hex, for the record; file: the share, encrypted to its holder; empty for one
    on paper."""

    commitment: str
    verifier: str
    file: bytes


class SplitDone(_Msg, frozen=True, tag="split-done"):
    """What may leave a splitting child: nothing secret. shares: in the order of the plan's holders; pin_box (and
    old_pin_box) for unseal, public_key for recovery."""

    identifier: int
    extendable: bool
    iteration_exponent: int
    check: str
    shares: tuple[MadeShare, ...]
    pin_box: bytes = b""
    public_key: bytes = b""
    old_pin_box: bytes = b""


ToChild = Gather | HandInBox | HandInFile | Split
FromChild = Gathers | Accepted | SplitDone | Problem

_encoder = msgspec.msgpack.Encoder()
_to_child: msgspec.msgpack.Decoder[ToChild] = msgspec.msgpack.Decoder(ToChild)
_from_child: msgspec.msgpack.Decoder[FromChild] = msgspec.msgpack.Decoder(FromChild)
Reply = TypeVar("Reply", Gathers, Accepted, SplitDone)


def frame(message: ToChild | FromChild) -> bytes:
    """The message with its length before it."""
    data = _encoder.encode(message)
    return len(data).to_bytes(4, "big") + data


def read_message(data: bytes | bytearray) -> ToChild:
    return _to_child.decode(data)


def read_reply(data: bytes | bytearray, kind: type[Reply]) -> Reply:
    """The reply of a child; a problem is raised as the rule that it names."""
    reply = _from_child.decode(data)
    if isinstance(reply, Problem):
        raise as_rule(reply)
    if not isinstance(reply, kind):
        raise msgspec.ValidationError(f"a reply of another kind: {type(reply).__name__}")
    return reply


def as_rule(problem: Problem) -> HsmpubError:
    """The problem as the exception that was raised in the child, so that it keeps its type."""
    rule = RULES.get(problem.rule)
    if rule is None:
        return problem.as_error()
    return rule(problem.detail, next_step=problem.next_step, retry=problem.retry)


def receive(fd: int, size: int) -> bytearray:
    """Exactly `size` bytes. Raises EOFError."""
    data = bytearray(size)
    view = memoryview(data)
    while view:
        got = os.readv(fd, [view])
        if not got:
            raise EOFError("The other side closed the pipe.")
        view = view[got:]
    return data


def receive_frame(fd: int) -> bytearray:
    """The body of the next frame. Raises EOFError."""
    size = int.from_bytes(receive(fd, 4), "big")
    if size > MAX_FRAME:
        raise EOFError("The other side sent more than a frame holds.")
    return receive(fd, size)


def send(fd: int, data: bytes | bytearray | memoryview) -> None:
    """All of it, read in place."""
    view = memoryview(data)
    while view:
        view = view[os.writev(fd, [view]) :]
