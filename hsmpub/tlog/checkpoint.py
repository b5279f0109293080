"""Checkpoints: the log's size and root as a signed note. Pure. Source: C2SP tlog-checkpoint v1."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

from hsmpub.errors import Invalid
from hsmpub.tlog.merkle import HASH_BYTES
from hsmpub.tlog.note import NoteSigner, VerifierKey, check_note, load_base64, sign_note

_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")


class CheckpointMalformed(Invalid):
    advice = "Fetch the checkpoint again from the log."


class CheckpointOfAnotherLog(Invalid):
    advice = "Use the log key of the service that made this receipt or checkpoint."


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """origin: name of the log; size: entries; root: raw SHA-256, 32 bytes; extensions: further lines, unused by us."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()


def dump_checkpoint(checkpoint: Checkpoint) -> str:
    """The text that is signed; ends with a newline."""
    lines = [checkpoint.origin, str(checkpoint.size), base64.b64encode(checkpoint.root).decode()]
    return "\n".join([*lines, *checkpoint.extensions]) + "\n"


def load_checkpoint(text: str) -> Checkpoint:
    """The checkpoint of a note's text.

    Raises:
        CheckpointMalformed: not exactly the form that `dump_checkpoint` gives.
    """
    origin, *rest = text.removesuffix("\n").split("\n")
    if not text.endswith("\n") or not origin or len(rest) < 2 or not all(rest):
        raise CheckpointMalformed("The checkpoint does not have the lines origin, size and root.")
    size, encoded, *extensions = rest
    try:
        root = load_base64(encoded)
    except ValueError:
        root = b""
    if not _NUMBER.fullmatch(size) or len(root) != HASH_BYTES:
        raise CheckpointMalformed("Size or root of the checkpoint is malformed.")
    return Checkpoint(origin, int(size), root, tuple(extensions))


def check_checkpoint(note: bytes, key: VerifierKey) -> Checkpoint:
    """The checkpoint that the pinned log key signed.

    Raises:
        NoteMalformed, NoteUntrusted: not a note of this key.
        CheckpointMalformed: signed, but no checkpoint.
        CheckpointOfAnotherLog: signed by the key for an origin that is not the key's name.
    """
    text, _ = check_note(note, [key])
    checkpoint = load_checkpoint(text)
    if checkpoint.origin != key.name:
        raise CheckpointOfAnotherLog(f"The checkpoint is of {checkpoint.origin[:80]!r}, the log key of {key.name!r}.")
    return checkpoint


async def sign_checkpoint(size: int, root: bytes, key: VerifierKey, sign: NoteSigner) -> bytes:
    """A signed checkpoint of the log that `key` names. Raises NoteSignatureWrong."""
    return await sign_note(dump_checkpoint(Checkpoint(key.name, size, root)), key, sign)
