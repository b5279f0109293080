"""Detached OpenPGP signature of version 6 (RFC 9580) over a file: binary, armoured.

Version 6 hashes a random salt before the file. So the file's hash state does not serve: the *detail* is the salt, and
the unfinished hash of salt and file. The service appends the trailer, as in version 4: what it makes is a signature
over a document and never a certification, whatever the client sends.

The salt is drawn by whoever hashes the file. The service cannot tell which salt a state began with, and the signature
binds it by that hash alone; a client that lies about it gets what verifies with the salt that it hashed, or nowhere.
"""

from __future__ import annotations

import secrets

from hsmpub.formats.base import Detached
from hsmpub.formats.context import Context
from hsmpub.formats.detail import DetailMalformed, detail_of
from hsmpub.formats.format import Artifact, Claim, Prepared
from hsmpub.formats.openpgp.packet import armor
from hsmpub.formats.openpgp.signature import BINARY_DOCUMENT
from hsmpub.formats.openpgp.v6_detail import DETAIL_BYTES, read_salted, salted
from hsmpub.formats.openpgp.v6_read import read_v6_document, salt_of_v6
from hsmpub.formats.openpgp.v6_signature import SALT_BYTES, assemble_v6_packet, prepare_v6_packet, v6_head, v6_trailer
from hsmpub.formats.purposes import check_may_make
from hsmpub.formats.sha256state import Sha256State
from hsmpub.formats.source import Source, pieces
from hsmpub.model.key import KeyKind, KeyRecord


class SaltedHashOfAnother(DetailMalformed):
    """The hash after the salt is of a file of another length than the hash without it."""


class OpenPgpV6(Detached):
    """`.v6.asc`, with RSA-3072, ECDSA on P-256 or Ed25519, SHA-256."""

    name = "openpgp-v6"
    suffix = ".v6.asc"
    key_kinds: frozenset[KeyKind] = frozenset({"p256", "rsa3072", "ed25519"})
    detail_limit = DETAIL_BYTES

    def extract(self, source: Source) -> bytes:
        """A new salt, and the state after it and the file: another one each time."""
        return self.extract_after(secrets.token_bytes(SALT_BYTES), source)

    def extract_after(self, salt: bytes, source: Source) -> bytes:
        return salted(salt, pieces(source, 0, source.size))

    def salt_of(self, output: bytes) -> bytes:
        return salt_of_v6(output)

    def prepare(self, artifact: Artifact, key: KeyRecord, context: Context) -> Prepared:
        check_may_make(self, key)
        salt, state = _salted(artifact, self)
        head = v6_head(key, BINARY_DOCUMENT, context.at)
        return prepare_v6_packet(state.with_suffix(v6_trailer(head)).digest(), head, salt, key)

    def assemble(self, prepared: Prepared, signature: bytes) -> bytes:
        return armor("SIGNATURE", assemble_v6_packet(prepared, signature), checksum=False)

    def read(self, output: bytes, artifact: Artifact, key: KeyRecord, context: Context | None = None) -> Claim:
        salt, state = _salted(artifact, self)
        return read_v6_document(output, salt, state, key, context.at if context else None)


def _salted(artifact: Artifact, form: OpenPgpV6) -> tuple[bytes, Sha256State]:
    salt, state = read_salted(detail_of(artifact, form), artifact.name)
    if state.size != SALT_BYTES + artifact.state.size:
        size = state.size - SALT_BYTES
        raise SaltedHashOfAnother(f"{artifact.name!r} has {artifact.state.size:,} bytes; {size:,} follow the salt.")
    return salt, state
