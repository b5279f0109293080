"""What is signed at once: routine files, bare digests, timestamps."""

from __future__ import annotations

import msgspec

from hsmpub.errors import Problem
from hsmpub.wire.messages.message import Message


class MadeSignature(msgspec.Struct, frozen=True):
    """One output, or why it was not made (then `problem` is set and output empty)."""

    artifact: str
    format: str
    key: str
    name: str
    output: bytes
    problem: Problem | None = None


class SignReply(Message, frozen=True, tag="sign-reply"):
    """Signatures of a routine request; `entry` is its index in the log, already durable."""

    request: str
    entry: int
    made: tuple[MadeSignature, ...]


class SignDigests(Message, frozen=True, tag="sign-digests"):
    """Bare signatures. items: SHA-256 digests, or whole messages for an Ed25519 key; none twice."""

    bearer: bytes
    key: str
    items: tuple[bytes, ...]


class AskTimestamp(Message, frozen=True, tag="ask-timestamp"):
    """query: TimeStampReq (RFC 3161), as it was sent; bearer: as in SignDigests, or empty."""

    query: bytes
    bearer: bytes = b""


class TimestampReply(Message, frozen=True, tag="timestamp-reply"):
    """answer: TimeStampResp, DER; rule: why no timestamp was given, or empty."""

    answer: bytes
    rule: str = ""
