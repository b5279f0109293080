"""Transparency log proofs: an inclusion proof and its checkpoint in one text, to be checked offline. Pure.

Source: C2SP tlog-proof v1.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass

from hsmpub.errors import Invalid
from hsmpub.tlog.merkle import HASH_BYTES
from hsmpub.tlog.note import MAX_NOTE_BYTES, load_base64

HEADER = "c2sp.org/tlog-proof@v1"
MAX_PATH = 63
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})")


class ProofMalformed(Invalid):
    advice = "Fetch the proof or the receipt again."


@dataclass(frozen=True, slots=True)
class LogProof:
    """index: of the entry; path: raw hashes, the leaf's sibling first; checkpoint: the exact note; extra: untrusted."""

    index: int
    path: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes | None = None


def dump_proof(index: int, path: Sequence[bytes], checkpoint: bytes) -> str:
    """The proof as text."""
    lines = [HEADER, f"index {index}", *(base64.b64encode(node).decode() for node in path)]
    return "\n".join(lines) + "\n\n" + checkpoint.decode()


def load_proof(text: str) -> LogProof:
    """The parts of a proof, nothing verified.

    Raises:
        ProofMalformed: not exactly the form of a tlog-proof.
    """
    head, blank, checkpoint = text.partition("\n\n")
    if not blank or len(text) > 2 * MAX_NOTE_BYTES:
        raise ProofMalformed("The proof has no checkpoint.")
    header, *lines = head.split("\n")
    extra = None
    if lines and lines[0].startswith("extra "):
        extra = _load_base64(lines.pop(0).removeprefix("extra "))
    match = _INDEX.fullmatch(lines[0]) if lines else None
    if header != HEADER or match is None or len(lines) > MAX_PATH + 1:
        raise ProofMalformed(f"The text is no {HEADER} with an index.")
    path = tuple(_load_base64(line) for line in lines[1:])
    if any(len(node) != HASH_BYTES for node in path):
        raise ProofMalformed("A hash of the proof is not 32 bytes.")
    return LogProof(int(match[1]), path, checkpoint.encode(), extra)


def _load_base64(line: str) -> bytes:
    try:
        return load_base64(line)
    except ValueError:
        raise ProofMalformed("A line of the proof is not plain base64.") from None
