"""Authenticode on PE files: Windows programs, libraries and drivers, and UEFI Secure Boot.

The client sends the file's Authenticode digest, 32 bytes; the service builds SpcIndirectDataContent and the attributes
(hsmpub.formats.cms.indirect_data).
Source: Microsoft, "Windows Authenticode Portable Executable Signature Format" (2008), appendix.
"""

from __future__ import annotations

from collections.abc import Iterator

from hsmpub.formats.cms.der import context, oid, sequence, tlv
from hsmpub.formats.cms.indirect_data import IndirectData
from hsmpub.formats.cms.pe import image_sum, pe_digest, signature_of, with_table
from hsmpub.formats.noted import NotedSource
from hsmpub.formats.source import Source
from hsmpub.formats.spliced import Part, Spliced


class Authenticode(Spliced, IndirectData):
    """In the file's certificate table, with RSA-3072 or ECDSA on P-256, SHA-256; a signature there is replaced."""

    name = "authenticode"
    suffix = ".authenticode"
    #: SpcPeImageData: no flags, then SpcLink, file, an empty SpcString.
    subject = sequence(
        oid("1.3.6.1.4.1.311.2.1.15"),
        sequence(tlv(0x03, b"\0"), context(0, context(2, context(0, constructed=False)))),
    )

    def recognises(self, name: str, head: bytes) -> bool:
        start = int.from_bytes(head[60:64], "little") if len(head) >= 64 else 0
        return head[:2] == b"MZ" and head[start : start + 4] == b"PE\0\0"

    def extract(self, source: Source) -> bytes:
        return pe_digest(source)

    def splice(self, source: Source, output: bytes) -> Iterator[Part]:
        return with_table(source, output)

    def ahead(self, source: NotedSource) -> None:
        image_sum(source)

    def held(self, source: Source) -> bytes | None:
        return signature_of(source)
