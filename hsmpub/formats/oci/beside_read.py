"""Reads what lies beside an image, whoever put it there: manifests, lists of referrers, signatures and attestations.

Nothing here is believed: an output counts once it verified. What is not in a form that this service makes is passed
over or refused one by one, so that what others put beside the image spoils nothing.
Source: cosign, specs/SIGNATURE_SPEC.md and ATTESTATION_SPEC.md; sigstore bundle v0.3; OCI image specification 1.1.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec

from hsmpub.errors import Invalid
from hsmpub.formats.oci.manifest import ManifestRefused, check_digest, read_manifest
from hsmpub.model.strict_json import unique_members

#: Most bytes of one signature or attestation. The service's own have up to a twentieth of it.
MAX_OUTPUT_BYTES = 1024 * 1024
_BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
_SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
_ENVELOPE = "application/vnd.dsse.envelope.v1+json"
#: What a list of referrers calls those that hold signatures.
_REFERRERS = frozenset({_BUNDLE, "application/vnd.dev.cosign.artifact.sig.v1+json"})
_BY_PREDICATE = {
    "https://sigstore.dev/cosign/sign/v1": "oci-bundle",
    "urn:hsmpub:release-attestation:v1": "dsse",
    "https://slsa.dev/provenance/v1": "slsa-provenance",
}


class NoSignatureOfOurs(Invalid):
    advice = "Verify it with the program that made it; it does not count here."


class Held(msgspec.Struct, frozen=True):
    """A blob that a manifest names. digest: `sha256:` and hex; size: bytes."""

    media_type: str
    digest: str
    size: int
    annotations: dict[str, Any]


class Output(msgspec.Struct, frozen=True):
    """What a format may have made: `output` in the spelling in which the format writes it.

    predicate_type: of an attestation; empty: it is none.
    """

    format: str
    output: bytes
    predicate_type: str = ""


def read_held(content: bytes, content_type: str, subject: str = "") -> list[Held]:
    """The layers of a manifest beside an image. subject: digest of the image that a referrer must refer to.

    Raises:
        ManifestRefused.
    """
    manifest = read_manifest(content, content_type)
    top = json.loads(content)
    if manifest.is_index or not isinstance(top["layers"], list):
        raise ManifestRefused("The manifest holds no signatures.")
    refers = top.get("subject")
    if subject and not (isinstance(refers, dict) and refers.get("digest") == subject):
        raise ManifestRefused("The manifest is listed beside the image and does not refer to it.")
    return [_held(one) for one in top["layers"]]


def read_referrers(content: bytes) -> list[str]:
    """Digests of the manifests in a list of referrers that may hold signatures; others are passed over.

    Raises:
        ManifestRefused.
    """
    try:
        top = json.loads(content, object_pairs_hook=unique_members)
    except (ValueError, RecursionError):
        top = None
    listed = top.get("manifests") if isinstance(top, dict) else None
    if not isinstance(listed, list):
        raise ManifestRefused("The list of what refers to the image is none.")
    ours = [one for one in listed if isinstance(one, dict) and _is_one(one.get("artifactType"), _REFERRERS)]
    return [check_digest(one.get("digest")) for one in ours]


def output_in(held: Held, blob: bytes) -> Output:
    """Raises NoSignatureOfOurs."""
    if held.media_type == _SIMPLE_SIGNING:
        signature = held.annotations.get("dev.cosignproject.cosign/signature")
        if not isinstance(signature, str):
            raise NoSignatureOfOurs("The layer names no signature.")
        said = {"Base64Signature": signature, "Payload": base64.b64encode(blob).decode()}
        return Output("oci-signature", _line(said))
    if held.media_type == _ENVELOPE:
        return _attestation(blob, blob + b"\n")
    if held.media_type != _BUNDLE:
        raise NoSignatureOfOurs(f"A layer of the type {held.media_type[:100]!r} is none that the service makes.")
    bundle = _json(blob)
    envelope = bundle.get("dsseEnvelope") if isinstance(bundle, dict) else None
    if not isinstance(envelope, dict):
        raise NoSignatureOfOurs("The bundle holds no envelope.")
    line = _line(envelope)
    return _attestation(line, line)


def _attestation(envelope: bytes, output: bytes) -> Output:
    top = _json(envelope)
    payload = top.get("payload") if isinstance(top, dict) else None
    try:
        statement = _json(base64.b64decode(payload, validate=True) if isinstance(payload, str) else b"")
    except ValueError:
        statement = None
    kind = statement.get("predicateType") if isinstance(statement, dict) else None
    if not isinstance(kind, str):
        raise NoSignatureOfOurs("The envelope holds no in-toto statement.")
    return Output(_BY_PREDICATE.get(kind, "in-toto"), output, kind)


def _held(one: Any) -> Held:
    said = one if isinstance(one, dict) else {}
    kind, size, annotations = said.get("mediaType"), said.get("size"), said.get("annotations") or {}
    if not isinstance(kind, str) or type(size) is not int or size < 0 or not isinstance(annotations, dict):
        raise ManifestRefused("The manifest names something that is no blob.")
    return Held(kind, check_digest(said.get("digest")), size, annotations)


def _json(data: bytes) -> Any:
    try:
        return json.loads(data, object_pairs_hook=unique_members)
    except (ValueError, RecursionError):
        raise NoSignatureOfOurs("It is no JSON, or names a member twice.") from None


def _line(value: dict[str, Any]) -> bytes:
    try:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
    except (ValueError, RecursionError):
        raise NoSignatureOfOurs("It holds text that is no UTF-8.") from None


def _is_one(value: Any, known: frozenset[str]) -> bool:
    return isinstance(value, str) and value in known
