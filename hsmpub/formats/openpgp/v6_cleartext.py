"""A text that carries its OpenPGP signature of version 6 (RFC 9580): type "canonical text", without a header `Hash:`.

As detached signatures of version 6 do, it hashes a salt first, drawn by whoever hashes: the *detail* is the salt and
the unfinished hash of it and the canonical text. The type is part of what is hashed, at a fixed place before the end;
so no signature of this format is one of `openpgp-v6` or the other way round, and the two may share keys.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator

from hsmpub.formats.context import Context
from hsmpub.formats.detail import detail_of
from hsmpub.formats.format import Artifact, Claim, Prepared
from hsmpub.formats.openpgp.cleartext import OpenpgpCleartext
from hsmpub.formats.openpgp.packet import armor
from hsmpub.formats.openpgp.signature import TEXT_DOCUMENT
from hsmpub.formats.openpgp.text import canonical, framed, read_text
from hsmpub.formats.openpgp.v6_detail import DETAIL_BYTES, read_salted, salted
from hsmpub.formats.openpgp.v6_read import read_v6_document, salt_of_v6
from hsmpub.formats.openpgp.v6_signature import SALT_BYTES, assemble_v6_packet, prepare_v6_packet, v6_head, v6_trailer
from hsmpub.formats.purposes import check_may_make
from hsmpub.formats.source import Source
from hsmpub.model.key import KeyKind, KeyRecord


class OpenpgpV6Cleartext(OpenpgpCleartext):
    """Around the text, with RSA-3072, ECDSA on P-256 or Ed25519, SHA-256; a signature that is there is replaced,
    whatever its version."""

    name = "openpgp-v6-cleartext"
    suffix = ".v6.cleartext"
    key_kinds: frozenset[KeyKind] = frozenset({"p256", "rsa3072", "ed25519"})
    detail_limit = DETAIL_BYTES

    def text_of(self, source: Source) -> tuple[bytes, bytes | None]:
        """The text, and the signature of version 6 that it carries. Raises TextUnfit."""
        return read_text(source, 6)

    def extract(self, source: Source) -> bytes:
        """A new salt, and the state after it and the canonical text: another one each time."""
        return self.extract_after(secrets.token_bytes(SALT_BYTES), source)

    def extract_after(self, salt: bytes, source: Source) -> bytes:
        return salted(salt, [canonical(self.text_of(source)[0])])

    def salt_of(self, output: bytes) -> bytes:
        return salt_of_v6(output)

    def prepare(self, artifact: Artifact, key: KeyRecord, context: Context) -> Prepared:
        check_may_make(self, key)
        salt, state = read_salted(detail_of(artifact, self), artifact.name)
        head = v6_head(key, TEXT_DOCUMENT, context.at)
        return prepare_v6_packet(state.with_suffix(v6_trailer(head)).digest(), head, salt, key)

    def assemble(self, prepared: Prepared, signature: bytes) -> bytes:
        return armor("SIGNATURE", assemble_v6_packet(prepared, signature), checksum=False)

    def read(self, output: bytes, artifact: Artifact, key: KeyRecord, context: Context | None = None) -> Claim:
        salt, state = read_salted(detail_of(artifact, self), artifact.name)
        return read_v6_document(output, salt, state, key, context.at if context else None, kind=0x01)

    def attach(self, source: Source, output: bytes) -> Iterator[bytes]:
        yield framed(self.text_of(source)[0], output, 6)
