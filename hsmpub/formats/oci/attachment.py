"""How signatures lie beside an image: under a tag made of its digest, as cosign has it, and as referrers of OCI 1.1.

    output of a format ── layers ──► blob, media type, annotations
    layers ── tagged ──► manifest under sha256-<hex>.sig or .att, which holds everybody's signatures
    layer ── referrer ──► manifest with `subject`; its digest depends on nothing else, so a repeat is the same one

Source: cosign, specs/SIGNATURE_SPEC.md and ATTESTATION_SPEC.md; OCI image and distribution specifications 1.1.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import msgspec

from hsmpub.formats.oci.manifest import INDEX, MANIFEST
from hsmpub.formats.public_key import spki_sha256
from hsmpub.model.key import KeyRecord

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
SIGNATURE_ARTIFACT = "application/vnd.dev.cosign.artifact.sig.v1+json"
ENVELOPE = "application/vnd.dsse.envelope.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_EMPTY = "application/vnd.oci.empty.v1+json"
EMPTY_CONFIG = b"{}"
#: Formats whose outputs lie beside an image.
BESIDE = ("oci-signature", "oci-bundle", "dsse", "slsa-provenance", "in-toto")
Json = dict[str, Any]


class Layer(msgspec.Struct, frozen=True):
    """A blob and what is said of it. tag: `sig`, `att`, or none: it is a referrer alone."""

    content: bytes
    media_type: str
    annotations: dict[str, str] = {}
    tag: str = ""

    def descriptor(self) -> Json:
        said = descriptor_of(self.content, self.media_type)
        return said | ({"annotations": self.annotations} if self.annotations else {})


def layers_of(format_: str, output: bytes, key: KeyRecord) -> tuple[Layer, ...]:
    """What is stored of one output, in this order: under a tag, where tools look there, and as a referrer.

    Args:
        format_: `oci-signature`, or a format that makes an attestation. output: checked before.
    """
    if format_ == "oci-signature":
        held = json.loads(output)
        said = {"dev.cosignproject.cosign/signature": held["Base64Signature"]}
        payload = base64.b64decode(held["Payload"])
        return Layer(payload, SIMPLE_SIGNING, said, "sig"), Layer(payload, SIMPLE_SIGNING, said)
    envelope = json.loads(output)
    kind = json.loads(base64.b64decode(envelope["payload"]))["predicateType"]
    hint = base64.b64encode(spki_sha256(key.public)).decode()
    bundle = {"mediaType": BUNDLE, "verificationMaterial": {"publicKey": {"hint": hint}}, "dsseEnvelope": envelope}
    said = {"dev.sigstore.bundle.content": "dsse-envelope", "dev.sigstore.bundle.predicateType": kind}
    referrer = Layer(msgspec.json.encode(bundle), BUNDLE, said)
    if format_ == "oci-bundle":
        return (referrer,)
    named = {"dev.cosignproject.cosign/signature": "", "predicateType": kind}
    return Layer(output.removesuffix(b"\n"), ENVELOPE, named, "att"), referrer


def tagged(layers: list[Json]) -> tuple[bytes, bytes]:
    """Config and manifest that hold these layers, old ones and new, by their descriptors."""
    config = msgspec.json.encode(
        {
            "architecture": "", "created": "0001-01-01T00:00:00Z", "os": "", "config": {},
            "history": [{"created": "0001-01-01T00:00:00Z"} for _ in layers],
            "rootfs": {"type": "layers", "diff_ids": [layer["digest"] for layer in layers]},
        }
    )  # fmt: skip
    top = {"schemaVersion": 2, "mediaType": MANIFEST, "config": descriptor_of(config, _CONFIG), "layers": layers}
    return config, msgspec.json.encode(top)


def referrer(subject: Json, layer: Layer) -> tuple[Json, bytes]:
    """A manifest that refers to an image, as a referrers list shows it, and its bytes; its config is EMPTY_CONFIG.

    subject: the image's descriptor (mediaType, digest, size).
    """
    simple = layer.media_type == SIMPLE_SIGNING
    kind = SIGNATURE_ARTIFACT if simple else BUNDLE
    # older registries take the config's type for the artifact's
    config = descriptor_of(EMPTY_CONFIG, kind if simple else _EMPTY)
    top: Json = {"schemaVersion": 2, "mediaType": MANIFEST, "artifactType": kind, "config": config}
    top |= {"layers": [layer.descriptor()], "subject": subject}
    if not simple:
        top["annotations"] = layer.annotations
    manifest = msgspec.json.encode(top)
    listed = descriptor_of(manifest, MANIFEST) | {"artifactType": kind}
    return listed | ({} if simple else {"annotations": layer.annotations}), manifest


def referrers_index(listed: list[Json]) -> bytes:
    """What stands under the tag sha256-<hex> where a registry has no list of referrers of its own."""
    return msgspec.json.encode({"schemaVersion": 2, "mediaType": INDEX, "manifests": listed})


def tag_of(digest: str, kind: str = "") -> str:
    """The tag beside an image: of signatures (`sig`), attestations (`att`), or referrers (empty)."""
    return digest.replace(":", "-") + (f".{kind}" if kind else "")


def descriptor_of(content: bytes, media_type: str) -> Json:
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
