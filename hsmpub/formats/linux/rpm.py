"""RPM packages, version 4: two OpenPGP signatures in the signature header, one over the header, one over header and
payload, as `rpmsign` puts them there.

The client sends two unfinished hashes. Both signatures are ones over documents, which under `openpgp` could be had too;
so the key is one of its own. rpm 4.18 knows no ECDSA: give packages for such systems an RSA key; rpm 6.1 takes both.
Source: RPM documentation, "Package signatures and digests"; lib/rpmtag.h (RPMSIGTAG_*).
"""

from __future__ import annotations

from collections.abc import Iterator

from hsmpub.formats.base import FormatBase
from hsmpub.formats.context import Context
from hsmpub.formats.detail import detail_of
from hsmpub.formats.format import Artifact, Claim, Prepared, check_raw
from hsmpub.formats.hash_detail import STATE_BYTES, dump_states, hash_pieces, load_states
from hsmpub.formats.linux.rpm_header import Value, lead_of, read_package, signature_header
from hsmpub.formats.openpgp.packet import RSA, SIGNATURE_TAG, packet
from hsmpub.formats.openpgp.parse import OpenpgpMalformed, packets
from hsmpub.formats.openpgp.read import OpenpgpTimeDiffers, read_document_packet
from hsmpub.formats.openpgp.signature import (
    BINARY_DOCUMENT,
    assemble_signature,
    prepare_signature,
    signature_head,
    trailer,
)
from hsmpub.formats.purposes import check_may_make
from hsmpub.formats.sha256state import Sha256State
from hsmpub.formats.source import Source, pieces
from hsmpub.model.key import KeyKind, KeyRecord

#: Over the header; over header and payload. The second pair is that of every algorithm but RSA.
_RSA_TAGS, _OTHER_TAGS = (268, 1002), (267, 1005)
#: Every tag that holds a signature; 278 is that of newer packages.
_SIGNATURES = (267, 268, 278, 1002, 1005)
#: Room that rpmbuild leaves for a signature, two tags; without it rpm rewrites the file, as here.
_ROOM = (999, 1008)
_BIN = 7


class Rpm(FormatBase):
    """In the package's signature header, with RSA-3072 or ECDSA on P-256, SHA-256; signatures there are replaced."""

    name = "rpm"
    suffix = ".rpmsig"
    key_kinds: frozenset[KeyKind] = frozenset({"p256", "rsa3072"})
    embedded = True
    detail_limit = 2 * STATE_BYTES

    def recognises(self, name: str, head: bytes) -> bool:
        return head.startswith(b"\xed\xab\xee\xdb\x03")

    def extract(self, source: Source) -> bytes:
        """The states of the header, and of header and payload."""
        found = read_package(source)
        header = hash_pieces(pieces(source, found.header, found.header_size))
        rest = found.header + found.header_size
        return dump_states(header, hash_pieces(pieces(source, rest, source.size - rest), header))

    def prepare(self, artifact: Artifact, key: KeyRecord, context: Context) -> Prepared:
        check_may_make(self, key)
        head = signature_head(key, BINARY_DOCUMENT, context.at)
        digests = b"".join(state.with_suffix(trailer(head)).digest() for state in _states(artifact, self))
        prepared = prepare_signature(digests, head, key)
        return Prepared(prepared.payload, prepared.hash, prepared.kind, prepared.parts, count=2)

    def assemble(self, prepared: Prepared, signature: bytes) -> bytes:
        check_raw(prepared, signature)
        half = len(signature) // 2
        return b"".join(
            assemble_signature(Prepared(digest, prepared.hash, prepared.kind, prepared.parts), raw)
            for digest, raw in (
                (prepared.payload[:32], signature[:half]),
                (prepared.payload[32:], signature[half:]),
            )
        )

    def read(self, output: bytes, artifact: Artifact, key: KeyRecord, context: Context | None = None) -> Claim:
        found = packets(output)
        if [tag for tag, _ in found] != [2, 2]:
            raise OpenpgpMalformed("It is not two OpenPGP signatures.")
        at = context.at if context else None
        first, second = (
            read_document_packet(body, state, key, at)
            for (_, body), state in zip(found, _states(artifact, self), strict=True)
        )
        if _head(found[0][1]) != _head(found[1][1]):
            raise OpenpgpTimeDiffers("The two signatures of the package carry different times.")
        return Claim(first.payload + second.payload, "sha256", first.signature + second.signature)

    def attach(self, source: Source, output: bytes) -> Iterator[bytes]:
        found = read_package(source)
        values = {tag: value for tag, value in found.signatures.items() if tag not in (*_SIGNATURES, *_ROOM)}
        bodies = [body for _, body in packets(output)]
        tags = _RSA_TAGS if bodies[0][2] == RSA else _OTHER_TAGS
        for tag, body in zip(tags, bodies, strict=True):
            made = packet(SIGNATURE_TAG, body)
            values[tag] = Value(_BIN, len(made), made)
        yield lead_of(source)
        yield signature_header(values)
        yield from pieces(source, found.header, source.size - found.header)

    def detach(self, source: Source) -> bytes | None:
        found = read_package(source).signatures
        for tags in (_RSA_TAGS, _OTHER_TAGS):
            if present := [found[tag].data for tag in tags if tag in found]:
                return b"".join(present)
        return None


def _head(body: bytes) -> bytes:
    """What of a signature packet is hashed."""
    return body[: 6 + int.from_bytes(body[4:6], "big")]


def _states(artifact: Artifact, form: Rpm) -> tuple[Sha256State, ...]:
    return load_states(detail_of(artifact, form), 2, artifact.name)
