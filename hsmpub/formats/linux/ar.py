"""The members of a Debian package: an `ar` archive of three parts and, after them, signatures.

Source: deb(5); ar(5).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from hsmpub.errors import Invalid
from hsmpub.formats.source import Source

MAGIC = b"!<arch>\n"
HEADER_BYTES = 60
_END = b"`\n"
_DECIMAL = re.compile(rb"(0|[1-9][0-9]{0,9}) *")
_PARTS = (
    re.compile(rb"debian-binary"),
    re.compile(rb"control\.tar(\.gz|\.xz|\.zst)?"),
    re.compile(rb"data\.tar(\.gz|\.xz|\.zst|\.bz2|\.lzma)?"),
)
_SIGNATURE = re.compile(rb"_gpg[a-z]{1,11}")
_MAX_SIGNATURES = 8


class DebMalformed(Invalid):
    advice = "Build the package with 'dpkg-deb'."


class Member(NamedTuple):
    """at: where its header begins; data: where its bytes begin; size: of them; end: where the next member begins."""

    name: bytes
    at: int
    data: int
    size: int
    end: int


def read_members(source: Source) -> list[Member]:
    """The three parts in their order, then any signatures; nothing else is in the package.

    Raises:
        DebMalformed, FileTooShort.
    """
    if source.size < len(MAGIC) or source.read(0, len(MAGIC)) != MAGIC:
        raise DebMalformed("This is no Debian package.")
    members: list[Member] = []
    at = len(MAGIC)
    while at < source.size:
        if len(members) == len(_PARTS) + _MAX_SIGNATURES:
            raise DebMalformed("The package has more members than packages have.")
        member = _member(source, at)
        wanted = _PARTS[len(members)] if len(members) < len(_PARTS) else _SIGNATURE
        if not wanted.fullmatch(member.name) or any(member.name == one.name for one in members):
            raise DebMalformed(f"The package's member {member.name!r} is not one that belongs there.")
        members.append(member)
        at = member.end
    if len(members) < len(_PARTS):
        raise DebMalformed("The package lacks its control or data part.")
    return members


def _member(source: Source, at: int) -> Member:
    header = source.read(at, HEADER_BYTES)
    number = _DECIMAL.fullmatch(header[48:58])
    if header[58:] != _END or number is None:
        raise DebMalformed("The header of a member is not one of 'ar'.")
    size, data = int(number[1]), at + HEADER_BYTES
    # the last member of an archive need not be padded
    end = min(data + size + size % 2, max(source.size, data + size))
    if size % 2 and end > data + size and source.read(data + size, 1) != b"\n":
        raise DebMalformed("A member is padded with something else than a line feed.")
    if end > source.size:
        raise DebMalformed("The package is cut short.")
    return Member(header[:16].rstrip(b" ").removesuffix(b"/"), at, data, size, end)


def member(name: bytes, content: bytes) -> bytes:
    """A member with its header, padded to an even length."""
    header = b"%-16b%-12d%-6d%-6d%-8o%-10d" % (name, 0, 0, 0, 0o100644, len(content))
    return header + _END + content + b"\n" * (len(content) % 2)
