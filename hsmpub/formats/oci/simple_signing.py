"""Signature over an image, in the simple signing form: `cosign verify --key key.pem registry.example/acme/web@sha256:…`

The file is the image's manifest, or its index: its SHA-256 is the digest by which everybody names the image. The
payload is a few hundred bytes of JSON that the service writes from that digest and the repository's name; which
repositories a project may sign for stands in the policy. As cosign does, the payload names the repository and no tag.
The output holds payload and signature, in the form in which `cosign download signature` prints them.
Source: containers-signature(5), "JSON data format"; cosign, specs/SIGNATURE_SPEC.md.
"""

from __future__ import annotations

import msgspec

from hsmpub.formats.base import Detached, prepare_message
from hsmpub.formats.context import Context
from hsmpub.formats.der_signature import bare_signature
from hsmpub.formats.format import Artifact, Claim, Prepared
from hsmpub.formats.oci.simple_signing_read import image_of, read_simple_signing
from hsmpub.formats.purposes import check_may_make
from hsmpub.model.key import KeyKind, KeyRecord

SIGNATURE_TYPE = "cosign container image signature"


class OciSignature(Detached):
    """`.oci-signature.json`, with P-256, RSA-3072 or Ed25519; for manifests of images."""

    name = "oci-signature"
    suffix = ".oci-signature.json"
    key_kinds: frozenset[KeyKind] = frozenset({"p256", "rsa3072", "ed25519"})

    def prepare(self, artifact: Artifact, key: KeyRecord, context: Context) -> Prepared:
        check_may_make(self, key)
        payload = msgspec.json.encode(
            {
                "critical": {
                    "identity": {"docker-reference": image_of(artifact)},
                    "image": {"docker-manifest-digest": f"sha256:{artifact.state.digest().hex()}"},
                    "type": SIGNATURE_TYPE,
                },
                "optional": optional(context),
            }
        )
        return prepare_message(payload, key, payload)

    def assemble(self, prepared: Prepared, signature: bytes) -> bytes:
        bare = bare_signature(prepared, signature)
        return msgspec.json.encode({"Base64Signature": bare, "Payload": prepared.parts[0]}) + b"\n"

    def read(self, output: bytes, artifact: Artifact, key: KeyRecord, context: Context | None = None) -> Claim:
        return read_simple_signing(output, artifact, key, context)


def optional(context: Context) -> dict[str, str] | None:
    """What `cosign verify -a project=web` compares. All are the service's words; all are text without a quotation."""
    said = {"project": context.project, "request": context.request, "service": context.service,
            "version": context.version}  # fmt: skip
    return {name: value for name, value in said.items() if value} or None
