"""Entry bundles: up to 256 entries as they are served, beside the level-0 tile of their hashes. Pure.

Source: C2SP tlog-tiles, "Log entries".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hsmpub.errors import Invalid
from hsmpub.model.entry import MAX_ENTRY_BYTES, EntryTooLarge
from hsmpub.tlog.tile import WIDTH


class BundleMalformed(Invalid):
    advice = "Fetch the entry bundle again from the log."


def dump_bundle(entries: Sequence[bytes]) -> bytes:
    """Entries, each behind its 16-bit big-endian length.

    Raises:
        EntryTooLarge: one is over 65,535 bytes.
    """
    for entry in entries:
        if len(entry) > MAX_ENTRY_BYTES:
            raise EntryTooLarge(f"An entry takes {len(entry):,} bytes.")
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def load_bundle(bundle: bytes) -> list[bytes]:
    """The entries of a bundle.

    Raises:
        BundleMalformed: cut off, empty, or with more than 256 entries.
    """
    entries = list(_bundled(bundle))
    if not 1 <= len(entries) <= WIDTH:
        raise BundleMalformed(f"The entry bundle holds {len(entries)} entries.")
    return entries


def _bundled(bundle: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(bundle):
        start = at + 2
        at = start + int.from_bytes(bundle[at:start], "big")
        if start > len(bundle) or at > len(bundle):
            raise BundleMalformed("The entry bundle is cut off.")
        yield bundle[start:at]
