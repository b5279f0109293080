"""TUF metadata in words, in full: what approvers read before they approve that it is signed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hsmpub.formats.tuf.metadata import FileFacts, Metadata
from hsmpub.formats.tuf.rules import TufTooLongToApprove
from hsmpub.model.clock import rfc3339

#: The statement goes into one log entry, of 65,535 bytes; about 150 targets.
MOST_CHARACTERS = 32_000


def meaning(found: Metadata, names: Mapping[str, str]) -> str:
    """Every fact of the metadata, a line each.

    Args:
        names: key id → the name under which the service has that key.

    Raises:
        TufTooLongToApprove.
    """
    text = "\n".join(_lines(found, names))
    if len(text) > MOST_CHARACTERS:
        raise TufTooLongToApprove(f"The {found.role} metadata takes {len(text):,} characters to show.")
    return text


def _lines(found: Metadata, names: Mapping[str, str]) -> Iterator[str]:
    yield f"TUF {found.role} metadata, version {found.version}, expires {rfc3339(found.expires)}"
    if found.role == "root":
        yield f"names of files {'carry version or hash' if found.consistent else 'stay the same'} (consistent_snapshot)"
    for one in found.roles:
        yield f"role {one.role}: {one.threshold} of {len(one.keys)} keys"
        for key in one.keys:
            name = names.get(key.id)
            yield f"  key {key.id} {key.scheme}, {f'{name!r} of this service' if name else 'not of this service'}"
    if found.role == "targets":
        yield f"{len(found.files)} targets"
    for file in found.files:
        yield from _file(file)


def _file(file: FileFacts) -> Iterator[str]:
    version = f", version {file.version}" if file.version else ""
    length = f", {file.length:,} bytes" if file.length >= 0 else ""
    yield f"file {file.name}{version}{length}"
    for name, digest in sorted(file.hashes.items()):
        yield f"  {name} {digest}"
