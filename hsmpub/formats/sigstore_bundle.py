"""Sigstore bundle v0.3 with a signature by our own key: `cosign verify-blob --key … --bundle x.sigstore.json x`.

Bare: its messageSignature is over the file's own SHA-256 and nothing else (see hsmpub.formats.format), so the key
that makes it makes no framed format.
Source: sigstore/protobuf-specs, sigstore_bundle.proto v0.3 (messageSignature, publicKey.hint).
"""

from __future__ import annotations

import base64

import msgspec

from hsmpub.formats.base import Detached
from hsmpub.formats.context import Context
from hsmpub.formats.der_signature import bare_signature
from hsmpub.formats.format import Artifact, Claim, Prepared
from hsmpub.formats.public_key import spki_sha256
from hsmpub.formats.purposes import check_may_make
from hsmpub.formats.sigstore_bundle_read import read_bundle
from hsmpub.model.key import KeyKind, KeyRecord

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"


class SigstoreBundle(Detached):
    """`.sigstore.json`, with P-256 or RSA-3072. (sigstore-js refuses Ed25519 here.)"""

    name = "sigstore-bundle"
    suffix = ".sigstore.json"
    key_kinds: frozenset[KeyKind] = frozenset({"p256", "rsa3072"})

    def prepare(self, artifact: Artifact, key: KeyRecord, context: Context) -> Prepared:
        check_may_make(self, key)
        hint = base64.b64encode(spki_sha256(key.public))
        return Prepared(artifact.state.digest(), "sha256", key.kind, (hint,))

    def assemble(self, prepared: Prepared, signature: bytes) -> bytes:
        return msgspec.json.encode(
            {
                "mediaType": MEDIA_TYPE,
                "verificationMaterial": {"publicKey": {"hint": prepared.parts[0].decode()}},
                "messageSignature": {
                    "messageDigest": {"algorithm": "SHA2_256", "digest": prepared.payload},
                    "signature": bare_signature(prepared, signature),
                },
            }
        )

    def read(self, output: bytes, artifact: Artifact, key: KeyRecord, context: Context | None = None) -> Claim:
        return read_bundle(output, artifact.state.digest(), key)
