"""A text that carries its OpenPGP signature: version 4, type "canonical text". `gpg --verify x`.

The client sends the unfinished hash of the canonical text, and the service appends its own trailer. The type is part
of what is hashed, at a fixed place before the end; so no signature of this format is one of `openpgp` or the other way
round, and the two may share keys.
"""

from __future__ import annotations

from collections.abc import Iterator

from hsmpub.formats.base import FormatBase
from hsmpub.formats.context import Context
from hsmpub.formats.detail import detail_of
from hsmpub.formats.format import Artifact, Claim, Prepared
from hsmpub.formats.hash_detail import STATE_BYTES, dump_states, load_states
from hsmpub.formats.openpgp.packet import armor
from hsmpub.formats.openpgp.read import read_document_signature
from hsmpub.formats.openpgp.signature import (
    TEXT_DOCUMENT,
    assemble_signature,
    prepare_signature,
    signature_head,
    trailer,
)
from hsmpub.formats.openpgp.text import canonical, framed, read_text
from hsmpub.formats.purposes import check_may_make
from hsmpub.formats.sha256state import Sha256State
from hsmpub.formats.source import Source
from hsmpub.model.key import KeyKind, KeyRecord


class OpenpgpCleartext(FormatBase):
    """Around the text, as Debian's .dsc and .changes have it, with RSA-3072 or ECDSA on P-256, SHA-256; a signature
    that is there is replaced."""

    name = "openpgp-cleartext"
    suffix = ".cleartext"
    key_kinds: frozenset[KeyKind] = frozenset({"p256", "rsa3072"})
    embedded = True
    detail_limit = STATE_BYTES

    def recognises(self, name: str, head: bytes) -> bool:
        return False

    def text_of(self, source: Source) -> tuple[bytes, bytes | None]:
        """The text, and the signature that it carries. Raises TextUnfit."""
        return read_text(source)

    def extract(self, source: Source) -> bytes:
        """The state of the canonical text."""
        return dump_states(Sha256State.of(canonical(self.text_of(source)[0])))

    def prepare(self, artifact: Artifact, key: KeyRecord, context: Context) -> Prepared:
        check_may_make(self, key)
        head = signature_head(key, TEXT_DOCUMENT, context.at)
        return prepare_signature(self._state(artifact).with_suffix(trailer(head)).digest(), head, key)

    def assemble(self, prepared: Prepared, signature: bytes) -> bytes:
        return armor("SIGNATURE", assemble_signature(prepared, signature))

    def read(self, output: bytes, artifact: Artifact, key: KeyRecord, context: Context | None = None) -> Claim:
        return read_document_signature(output, self._state(artifact), key, context.at if context else None, kind=0x01)

    def attach(self, source: Source, output: bytes) -> Iterator[bytes]:
        yield framed(self.text_of(source)[0], output)

    def detach(self, source: Source) -> bytes | None:
        return self.text_of(source)[1]

    def _state(self, artifact: Artifact) -> Sha256State:
        return load_states(detail_of(artifact, self), 1, artifact.name)[0]
