"""Detached CMS signature over a file: `openssl cms -verify -binary -inform DER -in x.p7s -content x`.

Source: RFC 5652; RFC 8551 (`.p7s`).
"""

from __future__ import annotations

from hsmpub.formats.base import Detached
from hsmpub.formats.cms.chain import load_chain
from hsmpub.formats.cms.der_check import MAX_BYTES
from hsmpub.formats.cms.read import CmsMalformed, ReadSignedData, check_same
from hsmpub.formats.cms.signed_data import DATA, prepare_attributes, signed_attributes, signed_data
from hsmpub.formats.cms.stamp import Stamped
from hsmpub.formats.context import Context
from hsmpub.formats.format import Artifact, Claim, Prepared
from hsmpub.formats.purposes import check_may_make
from hsmpub.formats.source import Source
from hsmpub.model.key import KeyKind, KeyRecord


class Cms(Stamped, Detached):
    """`.p7s`, DER, with RSA-3072 or ECDSA on P-256, SHA-256, signed attributes and the key's chain."""

    name = "cms"
    suffix = ".p7s"
    key_kinds: frozenset[KeyKind] = frozenset({"p256", "rsa3072"})

    def prepare(self, artifact: Artifact, key: KeyRecord, context: Context) -> Prepared:
        check_may_make(self, key)
        attributes = signed_attributes(DATA, artifact.state.digest(), context.at, load_chain(key))
        return prepare_attributes(attributes, key.kind, load_chain(key))

    def assemble(self, prepared: Prepared, signature: bytes) -> bytes:
        return signed_data(prepared, signature)

    def read(self, output: bytes, artifact: Artifact, key: KeyRecord, context: Context | None = None) -> Claim:
        found = ReadSignedData(output, load_chain(key), key.kind)
        if found.content_type != "data" or found.content:
            raise CmsMalformed("The signature is of another kind of content than a file.")
        check_same(found, artifact.state.digest(), context.at if context else None)
        return found.claim

    def held(self, source: Source) -> bytes | None:
        """A signature file is its own; with a timestamp in it, it is another file than the one that was logged."""
        data = source.read(0, source.size) if source.size <= MAX_BYTES else b""
        return data if data[:1] == b"\x30" else None
