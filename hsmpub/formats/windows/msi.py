"""Windows Installer packages (`.msi`, `.msp`, `.msm`, `.mst`): signed in two streams of the compound file.

`\\5MsiDigitalSignatureEx` is the digest of the directory: names, sizes, times. `\\5DigitalSignature` is an Authenticode
signature over that digest and every stream's content. The first is always made: without it, content could move from one
stream to another under the same signature.
Source: the streams as signtool and osslsigncode write them; [MS-CFB].
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from hsmpub.formats.cms.der import integer, octets, oid, sequence
from hsmpub.formats.cms.indirect_data import IndirectData
from hsmpub.formats.noted import noted
from hsmpub.formats.source import Source
from hsmpub.formats.spliced import Part, Spliced
from hsmpub.formats.windows.compound import MAGIC, CompoundFile
from hsmpub.formats.windows.compound_write import write_compound
from hsmpub.formats.windows.storage import STREAM, CompoundMalformed, Directory, Entry

SIGNATURE = "\5DigitalSignature".encode("utf-16-le")
EXTENSION = "\5MsiDigitalSignatureEx".encode("utf-16-le")
MAX_SIGNATURE_BYTES = 1 << 20
_NAMES = (".msi", ".msp", ".msm", ".mst")
#: Class of the root: package, patch, transform. 000C108x-0000-0000-C000-000000000046.
_CLASSES = {bytes.fromhex(f"{first:02x}100c0000000000c000000000000046") for first in (0x84, 0x86, 0x82)}


class NotAnInstaller(CompoundMalformed):
    pass


class Msi(Spliced, IndirectData):
    """In the package, with RSA-3072 or ECDSA on P-256, SHA-256; a signature there is replaced."""

    name = "msi"
    suffix = ".msi.p7"
    #: SpcSipInfo: version 1, the package's subject interface, five reserved numbers.
    subject = sequence(
        oid("1.3.6.1.4.1.311.2.1.30"),
        sequence(integer(1), octets(bytes.fromhex("f1100c0000000000c000000000000046")), *[integer(0)] * 5),
    )

    def recognises(self, name: str, head: bytes) -> bool:
        return head[:8] == MAGIC and name.lower().endswith(_NAMES)

    def extract(self, source: Source) -> bytes:
        package = _open(source)
        state = hashlib.sha256(_metadata(package.root))
        for piece in _hashed(source, package, package.root):
            state.update(piece)
        return state.digest()

    def splice(self, source: Source, output: bytes) -> Iterator[Part]:
        package = _open(source)
        added = {_entry(SIGNATURE, output): output}
        extension = _metadata(package.root)
        added[_entry(EXTENSION, extension)] = extension
        root = package.root._replace(streams_in=[*_unsigned(package.root), *added])

        def content(entry: Entry) -> Iterator[Part]:
            return iter((added[entry],)) if entry in added else package.parts(entry)

        return write_compound(root, package.sector, content)

    def held(self, source: Source) -> bytes | None:
        package = _open(source)
        there = {one.name: one for one in package.root.streams_in}
        if SIGNATURE not in there:
            return None
        if there[SIGNATURE].size > MAX_SIGNATURE_BYTES:
            raise CompoundMalformed("The package's signature is longer than any.")
        named = there.get(EXTENSION)
        if named and named.size == 32 and b"".join(package.stream(source, named)) != _metadata(package.root):
            raise CompoundMalformed("The package's directory is not the one that its signature names.")
        return b"".join(package.stream(source, there[SIGNATURE]))


def _open(source: Source) -> CompoundFile:
    package = noted(source, "compound file", lambda: CompoundFile(source))
    if package.root.entry.clsid not in _CLASSES:
        raise NotAnInstaller("The compound file is no Windows Installer package.")
    return package


def _unsigned(root: Directory) -> list[Entry]:
    return [one for one in root.streams_in if one.name not in (SIGNATURE, EXTENSION)]


def _entry(name: bytes, data: bytes) -> Entry:
    """A stream that is not there yet: it begins nowhere."""
    return Entry(name, STREAM, bytes(16), bytes(4), bytes(8), bytes(8), -1, len(data))


def _metadata(root: Directory) -> bytes:
    """SHA-256 over what the directory says, 32 bytes."""
    state = hashlib.sha256(root.entry.clsid + root.entry.state)
    for piece in _described(root._replace(streams_in=_unsigned(root))):
        state.update(piece)
    return state.digest()


def _described(storage: Directory) -> Iterator[bytes]:
    for one in storage.members():
        entry = one if isinstance(one, Entry) else one.entry
        about = entry.size.to_bytes(4, "little") if isinstance(one, Entry) else entry.clsid
        yield entry.name + about + entry.state + entry.created + entry.modified
        if isinstance(one, Directory):
            yield from _described(one)


def _hashed(source: Source, package: CompoundFile, storage: Directory) -> Iterator[bytes]:
    """Contents of all streams, then each storage's class."""
    streams = _unsigned(storage) if storage is package.root else storage.streams_in
    for one in storage._replace(streams_in=streams).members():
        if isinstance(one, Entry):
            yield from package.stream(source, one)
        else:
            yield from _hashed(source, package, one)
    yield storage.entry.clsid
