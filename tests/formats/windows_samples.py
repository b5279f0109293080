"""A package, a cabinet and a catalogue, built here; real ones come from wixl and gcab (test_windows.py)."""

from __future__ import annotations

import hashlib
import struct

from hsmpub.formats.windows.compound_write import write_compound
from hsmpub.formats.windows.storage import ROOT, STORAGE, STREAM, Directory, Entry

INSTALLER = bytes.fromhex("84100c0000000000c000000000000046")


def entry(name: str, size: int = 0, kind: int = STREAM, clsid: bytes = bytes(16)) -> Entry:
    return Entry(name.encode("utf-16-le"), kind, clsid, bytes(4), bytes(8), bytes(8), -1, size)


def compound_root(made: list[Entry], inner: list[Directory] | None = None, clsid: bytes = INSTALLER) -> Directory:
    return Directory(Entry(b"", ROOT, clsid, bytes(4), bytes(8), bytes(8), -1, 0), made, inner or [])


def compound_file(streams: dict[str, bytes], sector: int = 512, clsid: bytes = INSTALLER) -> bytes:
    """streams: name → content; `folder/name` lies in a storage."""
    made, folders, held = [], {}, {}
    for path, content in streams.items():
        *folder, name = path.split("/")
        one = entry(name, len(content))
        held[one] = content
        (folders.setdefault(folder[0], []) if folder else made).append(one)
    inner = [Directory(entry(name, kind=STORAGE), members, []) for name, members in folders.items()]
    return b"".join(write_compound(compound_root(made, inner, clsid), sector, lambda one: iter((held[one],))))


def msi_file(fill: bytes = b"product") -> bytes:
    return compound_file({
        "\5SummaryInformation": b"summary" * 9,
        "product.cab": fill * 900,
        "empty": b"",
        "Binary.x/icon": b"icon",
    })  # fmt: skip


def cab_file(content: bytes = b"content of a cabinet") -> bytes:
    """One folder, not compressed, one file in it."""
    return cab_head(len(content), 1) + cab_block(len(content)) + content


def cab_head(block: int, count: int) -> bytes:
    """All before the blocks of a cabinet with so many, each of so many bytes."""
    folder, size = 36 + 8, block * count
    file = struct.pack("<IIHHHH", size, 0, 0, 0x5D76, 0x62D9, 0x20) + b"a.txt\0"
    start, total = folder + len(file), folder + len(file) + size + count * len(cab_block(block))
    head = struct.pack("<4sIIIIIBBHHHHH", b"MSCF", 0, total, 0, folder, 0, 3, 1, 1, 1, 0, 0, 0)
    return head + struct.pack("<IHH", start, count, 0) + file


def cab_block(size: int) -> bytes:
    """What stands before each block, without a checksum."""
    return struct.pack("<IHH", 0, size, size)


def tlv(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    if len(body) < 128:
        return bytes((tag, len(body))) + body
    width = (len(body).bit_length() + 7) // 8
    return bytes((tag, 0x80 | width)) + len(body).to_bytes(width, "big") + body


#: 1.3.6.1.4.1.311 and what follows.
MICROSOFT = bytes.fromhex("2b060104018237")


def microsoft(*arcs: int) -> bytes:
    return tlv(0x06, MICROSOFT + bytes(arcs))


SHA256 = tlv(0x30, bytes.fromhex("0609608648016503040201"), b"\x05\x00")
SHA1 = tlv(0x30, bytes.fromhex("06052b0e03021a"), b"\x05\x00")


def cat_list(*digests: bytes, algorithm: bytes = SHA256, version: int = 3) -> bytes:
    """A list (CTL) of programs by their Authenticode digests."""
    image = tlv(0x30, microsoft(2, 1, 15), tlv(0x30, b"\x03\x01\0", tlv(0xA0, tlv(0xA2, tlv(0x80)))))
    listed = [
        tlv(0x30, tlv(0x04, digest), tlv(0x31, tlv(0x30, microsoft(2, 1, 4), tlv(0x31, tlv(
            0x30, image, tlv(0x30, algorithm, tlv(0x04, digest)))))))
        for digest in digests
    ]  # fmt: skip
    return tlv(
        0x30, tlv(0x30, microsoft(12, 1, 1)), tlv(0x04, bytes(16)), tlv(0x17, b"261122100000Z"),
        tlv(0x30, microsoft(12, 1, version), b"\x05\x00"), tlv(0x30, *listed),
    )  # fmt: skip


def cat_of(listed: bytes) -> bytes:
    """A list as makecat writes it: in a message that nobody signed."""
    inner = tlv(0x30, microsoft(10, 1), tlv(0xA0, listed))
    signed = tlv(0x30, b"\x02\x01\x01", tlv(0x31), inner, tlv(0x31))
    return tlv(0x30, bytes.fromhex("06092a864886f70d010702"), tlv(0xA0, signed))


def cat_file(*digests: bytes) -> bytes:
    return cat_of(cat_list(*(digests or (hashlib.sha256(b"driver").digest(), hashlib.sha256(b"other").digest()))))
