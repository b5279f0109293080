"""Entry bundles: up to 256 entries as they are served, beside the level-0 tile of their hashes. Pure.

Source: C2SP tlog-tiles, "Log entries".
"""

from __future__ import annotations

from collections.abc import Sequence

from hsmpub.model.entry import MAX_ENTRY_BYTES, EntryTooLarge


def dump_bundle(entries: Sequence[bytes]) -> bytes:
    """Entries, each behind its 16-bit big-endian length.

    Raises:
        EntryTooLarge: one is over 65,535 bytes.
    """
    for entry in entries:
        if len(entry) > MAX_ENTRY_BYTES:
            raise EntryTooLarge(f"An entry takes {len(entry):,} bytes.")
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)
