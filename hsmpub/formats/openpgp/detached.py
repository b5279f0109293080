"""Detached OpenPGP signature over a file: version 4, binary, armoured. `gpg --verify x.asc x`.

The service appends the trailer itself, to a hash that was not finished; so what it makes is a signature over a
document and never a certification, whatever the client sends.
"""

from __future__ import annotations

from hsmpub.formats.base import Detached
from hsmpub.formats.context import Context
from hsmpub.formats.format import Artifact, Claim, Prepared
from hsmpub.formats.openpgp.packet import armor
from hsmpub.formats.openpgp.read import read_document_signature
from hsmpub.formats.openpgp.signature import (
    BINARY_DOCUMENT,
    assemble_signature,
    prepare_signature,
    signature_head,
    trailer,
)
from hsmpub.formats.purposes import check_may_make
from hsmpub.model.key import KeyKind, KeyRecord


class OpenPgp(Detached):
    """`.asc`, with RSA-3072 or ECDSA on P-256, SHA-256."""

    name = "openpgp"
    suffix = ".asc"
    key_kinds: frozenset[KeyKind] = frozenset({"p256", "rsa3072"})

    def prepare(self, artifact: Artifact, key: KeyRecord, context: Context) -> Prepared:
        check_may_make(self, key)
        head = signature_head(key, BINARY_DOCUMENT, context.at)
        return prepare_signature(artifact.state.with_suffix(trailer(head)).digest(), head, key)

    def assemble(self, prepared: Prepared, signature: bytes) -> bytes:
        return armor("SIGNATURE", assemble_signature(prepared, signature))

    def read(self, output: bytes, artifact: Artifact, key: KeyRecord, context: Context | None = None) -> Claim:
        return read_document_signature(output, artifact.state, key, context.at if context else None)
