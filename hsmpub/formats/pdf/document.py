"""PDF documents: a signature field in an incremental update, with CMS over everything around it.

The client makes the room and sends the digest of the rest, 32 bytes; the service builds the attributes and signs.
What was in the document before, somebody else's signatures too, stays as it is, byte for byte.
A key of this format makes no other: its attributes say no more than those of `cms` over a file.
Source: ISO 32000-2, section 12.8.3.3 (adbe.pkcs7.detached); ETSI EN 319 142-1.
"""

from __future__ import annotations

from collections.abc import Iterator

from hsmpub.formats.cms.chain import load_chain
from hsmpub.formats.cms.read import CmsMalformed, ReadSignedData, check_same
from hsmpub.formats.cms.signed_data import DATA, prepare_attributes, signed_attributes, signed_data
from hsmpub.formats.cms.stamp import Stamped
from hsmpub.formats.context import Context
from hsmpub.formats.detail import DetailMalformed, detail_of
from hsmpub.formats.format import Artifact, Claim, Prepared
from hsmpub.formats.pdf.hole import content_of, digest_around, find_hole
from hsmpub.formats.pdf.room import ROOM_BYTES, PdfMalformed, with_room
from hsmpub.formats.purposes import check_may_make
from hsmpub.formats.source import BytesSource, Source
from hsmpub.formats.spliced import Kept, Part, Spliced
from hsmpub.model.key import KeyKind, KeyRecord


class Pdf(Spliced, Stamped):
    """In the document's last update, RSA-3072 or ECDSA on P-256, SHA-256; ours is replaced where it is the last."""

    name = "pdf"
    suffix = ".pdf.p7s"
    key_kinds: frozenset[KeyKind] = frozenset({"p256", "rsa3072"})
    embedded = True
    detail_limit = 32

    def recognises(self, name: str, head: bytes) -> bool:
        return b"%PDF-" in head[:1024]

    def extract(self, source: Source) -> bytes:
        """SHA-256 of the document with room for the signature, without that room."""
        hole = find_hole(source)
        if hole is None:
            source = BytesSource(with_room(source))
            hole = find_hole(source)
        if hole is None:
            raise PdfMalformed("The document has no room for a signature where there should be some.")
        return digest_around(source, hole)

    def prepare(self, artifact: Artifact, key: KeyRecord, context: Context) -> Prepared:
        check_may_make(self, key)
        chain = load_chain(key)
        return prepare_attributes(
            signed_attributes(DATA, _digest_of(artifact, self), context.at, chain), key.kind, chain
        )

    def assemble(self, prepared: Prepared, signature: bytes) -> bytes:
        return signed_data(prepared, signature)

    def read(self, output: bytes, artifact: Artifact, key: KeyRecord, context: Context | None = None) -> Claim:
        found = ReadSignedData(output, load_chain(key), key.kind)
        if found.content_type != "data" or found.content:
            raise CmsMalformed("The signature is of another kind of content than a document.")
        check_same(found, _digest_of(artifact, self), context.at if context else None)
        return found.claim

    def splice(self, source: Source, output: bytes) -> Iterator[Part]:
        hole, made = find_hole(source), b""
        if hole is None:
            made = with_room(source)
            hole = find_hole(BytesSource(made))
        if hole is None or len(output) > ROOM_BYTES:
            raise PdfMalformed("The document has no room for this signature.")
        yield memoryview(made)[: hole.start] if made else Kept(0, hole.start)
        yield b"<" + output.hex().upper().ljust(2 * ROOM_BYTES, "0").encode() + b">"
        yield memoryview(made)[hole.end :] if made else Kept(hole.end, source.size - hole.end)

    def held(self, source: Source) -> bytes | None:
        hole = find_hole(source)
        return None if hole is None else content_of(source, hole)


def _digest_of(artifact: Artifact, form: Pdf) -> bytes:
    detail = detail_of(artifact, form)
    if len(detail) != 32:
        raise DetailMalformed("The digest of a document has 32 bytes.")
    return detail
