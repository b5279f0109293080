"""Debian packages with their origin's signature inside: a member `_gpgorigin`, as debsigs writes it.

The signature is one over a document: the package's three parts, one after the other. The client sends the unfinished
hash of them. Where they end is not signed, so they have to show it (hsmpub.formats.linux.deb_parts). As a document they
could be signed under `openpgp` too, so the key is one of its own.
Source: debsigs and debsig-verify, "Package Verification with dpkg: Implementation".
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from hsmpub.formats.base import FormatBase
from hsmpub.formats.context import Context
from hsmpub.formats.detail import detail_of
from hsmpub.formats.format import Artifact, Claim, Prepared
from hsmpub.formats.hash_detail import STATE_BYTES, dump_states, hash_pieces, load_states
from hsmpub.formats.linux.ar import MAGIC, DebMalformed, member, read_members
from hsmpub.formats.linux.deb_parts import check_parts
from hsmpub.formats.openpgp.parse import OpenpgpMalformed, packets
from hsmpub.formats.openpgp.read import read_document_packet
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

_ORIGIN = b"_gpgorigin"
#: A signature of others that is replaced may be larger than those of this service.
_MAX_SIGNATURE_BYTES = 1 << 16


class Deb(FormatBase):
    """At the end of the package, with RSA-3072 or ECDSA on P-256, SHA-256; an origin's signature there is replaced,
    signatures of other roles stay."""

    name = "deb"
    suffix = ".gpgorigin"
    key_kinds: frozenset[KeyKind] = frozenset({"p256", "rsa3072"})
    embedded = True
    detail_limit = STATE_BYTES

    def recognises(self, name: str, head: bytes) -> bool:
        return head.startswith(MAGIC + b"debian-binary")

    def extract(self, source: Source) -> bytes:
        """The state of the three parts."""
        parts = read_members(source)[:3]
        check_parts(source, parts)
        return dump_states(hash_pieces(chain.from_iterable(pieces(source, part.data, part.size) for part in parts)))

    def prepare(self, artifact: Artifact, key: KeyRecord, context: Context) -> Prepared:
        check_may_make(self, key)
        head = signature_head(key, BINARY_DOCUMENT, context.at)
        return prepare_signature(_state(artifact, self).with_suffix(trailer(head)).digest(), head, key)

    def assemble(self, prepared: Prepared, signature: bytes) -> bytes:
        return assemble_signature(prepared, signature)

    def read(self, output: bytes, artifact: Artifact, key: KeyRecord, context: Context | None = None) -> Claim:
        found = packets(output)
        if len(found) != 1 or found[0][0] != 2:
            raise OpenpgpMalformed("It is not one OpenPGP signature.")
        return read_document_packet(found[0][1], _state(artifact, self), key, context.at if context else None)

    def attach(self, source: Source, output: bytes) -> Iterator[bytes]:
        yield MAGIC
        for one in read_members(source):
            if one.name != _ORIGIN:
                yield from pieces(source, one.at, one.end - one.at)
                yield b"\n" * ((one.end - one.at) % 2)  # the last member may have come without its padding
        yield member(_ORIGIN, output)

    def detach(self, source: Source) -> bytes | None:
        for one in read_members(source):
            if one.name == _ORIGIN:
                if one.size > _MAX_SIGNATURE_BYTES:
                    raise DebMalformed("The package's signature is larger than any.")
                return source.read(one.data, one.size)
        return None


def _state(artifact: Artifact, form: Deb) -> Sha256State:
    return load_states(detail_of(artifact, form), 1, artifact.name)[0]
