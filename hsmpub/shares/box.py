"""A box under a quorum's secret, as it goes to the child that is going to open it."""

from __future__ import annotations

import msgspec

from hsmpub.shares.record_file import RecordMalformed


class Box(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """content: what is in it, bound into the box; sealed: its bytes."""

    content: str
    sealed: bytes


def box_of(content: str, sealed: str) -> Box:
    """A box as a record has it, in hex. Raises RecordMalformed."""
    try:
        return Box(content, bytes.fromhex(sealed))
    except ValueError:
        raise RecordMalformed(f"The box of the {content} is not in hex.") from None
