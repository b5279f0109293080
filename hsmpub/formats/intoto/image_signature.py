"""How cosign says "signed" of an image in its newer form: an attestation with an empty predicate, which is stored as a
sigstore bundle that refers to the image. `cosign verify --new-bundle-format --key key.pem …`

Source: cosign 2.6, `sign --new-bundle-format` (predicate type https://sigstore.dev/cosign/sign/v1).
"""

from __future__ import annotations

from typing import Any

from hsmpub.formats.context import Context
from hsmpub.formats.format import Artifact, Claim
from hsmpub.formats.intoto.envelope import InToto
from hsmpub.formats.intoto.image_signature_read import read_image_signature
from hsmpub.formats.oci.simple_signing_read import image_of
from hsmpub.model.key import KeyRecord

PREDICATE_TYPE = "https://sigstore.dev/cosign/sign/v1"


class OciBundle(InToto):
    """`.oci.intoto.jsonl`, with P-256, RSA-3072 or Ed25519; for manifests of images."""

    name = "oci-bundle"
    suffix = ".oci.intoto.jsonl"

    def said(self, artifact: Artifact, context: Context) -> tuple[str, Any]:
        image_of(artifact)
        return PREDICATE_TYPE, {}

    def read(self, output: bytes, artifact: Artifact, key: KeyRecord, context: Context | None = None) -> Claim:
        return read_image_signature(output, artifact, key)
