"""Ed25519 over the file itself, 64 bytes with nothing around them: `openssl pkeyutl -verify -rawin`.

What programs ask for that bring frames of their own, as those of the transit API do (TUF metadata, say). As with the
bare formats, whoever chooses the file chooses what is signed, so it has a key of its own.
Source: RFC 8032.
"""

from __future__ import annotations

from hsmpub.formats.base import Detached
from hsmpub.formats.context import Context
from hsmpub.formats.format import Artifact, Claim, OutputMalformed, Prepared, check_raw
from hsmpub.formats.purposes import check_may_make
from hsmpub.formats.source import Source
from hsmpub.formats.whole import MOST_BYTES, extract_whole, whole_of
from hsmpub.model.key import KeyKind, KeyRecord


class Ed25519Malformed(OutputMalformed):
    pass


class Ed25519Signature(Detached):
    """Detached, for small files."""

    name = "ed25519-signature"
    suffix = ".sig.ed25519"
    key_kinds: frozenset[KeyKind] = frozenset({"ed25519"})
    detail_limit = MOST_BYTES

    def extract(self, source: Source) -> bytes:
        """The file."""
        return extract_whole(source)

    def prepare(self, artifact: Artifact, key: KeyRecord, context: Context) -> Prepared:
        check_may_make(self, key)
        return Prepared(whole_of(artifact, self), "none", key.kind)

    def assemble(self, prepared: Prepared, signature: bytes) -> bytes:
        check_raw(prepared, signature)
        return signature

    def read(self, output: bytes, artifact: Artifact, key: KeyRecord, context: Context | None = None) -> Claim:
        if len(output) != 64:
            raise Ed25519Malformed(f"An Ed25519 signature has 64 bytes, not {len(output)}.")
        return Claim(whole_of(artifact, self), "none", output)
