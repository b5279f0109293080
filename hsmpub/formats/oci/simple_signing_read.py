"""Reads the service's own signatures over images and compares all that they say. Builds nothing.

Source: containers-signature(5), "JSON data format".
"""

from __future__ import annotations

import hashlib
from typing import Any

from hsmpub.errors import Invalid
from hsmpub.formats.compact_json import members, read_base64, read_json
from hsmpub.formats.context import Context
from hsmpub.formats.der_read import read_bare
from hsmpub.formats.format import Artifact, Claim, OutputForAnother, OutputMalformed
from hsmpub.model.image import check_image_name
from hsmpub.model.key import KeyRecord


class NoImage(Invalid):
    advice = "Sign images with 'hsmpub oci sign', which names the repository."


class ImageSignatureMalformed(OutputMalformed):
    pass


class ImageDiffers(OutputForAnother):
    advice = "It signs another image, or the same one in another repository."


class ImageAnnotationsDiffer(OutputForAnother):
    advice = "It was made for another request, project or version."


def image_of(artifact: Artifact) -> str:
    """The repository whose manifest the file is. Raises NoImage, ImageNameMalformed."""
    if not artifact.image:
        raise NoImage(f"{artifact.name!r} was not sent as the manifest of an image.")
    check_image_name(artifact.image)
    return artifact.image


def read_simple_signing(data: bytes, artifact: Artifact, key: KeyRecord, context: Context | None) -> Claim:
    """The claim of an output about this image. context: what it must say beside it, or None for anything.

    Raises:
        ImageSignatureMalformed, ImageDiffers, ImageAnnotationsDiffer.
    """
    if not data.endswith(b"\n"):
        raise ImageSignatureMalformed("The signature is not one line.")
    names = {"Base64Signature", "Payload"}
    top = members(read_json(data[:-1], ImageSignatureMalformed), names, ImageSignatureMalformed)
    payload = read_base64(top["Payload"], ImageSignatureMalformed)
    check_payload(payload, artifact, context)
    raw = read_base64(top["Base64Signature"], ImageSignatureMalformed)
    if key.kind == "ed25519":
        if len(raw) != 64:
            raise ImageSignatureMalformed("An Ed25519 signature has 64 bytes.")
        return Claim(payload, "none", raw)
    return Claim(hashlib.sha256(payload).digest(), "sha256", read_bare(raw, key.kind, ImageSignatureMalformed))


def check_payload(payload: bytes, artifact: Artifact, context: Context | None) -> None:
    """Raises as `read_simple_signing`."""
    rule = ImageSignatureMalformed
    said = members(read_json(payload, rule), {"critical", "optional"}, rule)
    critical = members(said["critical"], {"identity", "image", "type"}, rule)
    if critical["type"] != "cosign container image signature":
        raise rule("The payload is no signature of an image.")
    image = members(critical["image"], {"docker-manifest-digest"}, rule)["docker-manifest-digest"]
    reference = members(critical["identity"], {"docker-reference"}, rule)["docker-reference"]
    if (reference, image) != (artifact.image, "sha256:" + artifact.state.digest().hex()):
        raise ImageDiffers(f"The signature is not over {artifact.image}@sha256:{artifact.state.digest().hex()}.")
    if context is not None and not _says(said["optional"], context):
        raise ImageAnnotationsDiffer("The signature's annotations are not those of the request.")


def _says(optional: Any, context: Context) -> bool:
    left = dict(optional or {}) if isinstance(optional, dict | None) else {"": ""}
    return all(
        left.pop(name, "") == getattr(context, name) for name in ("service", "project", "version", "request")
    ) and not left  # fmt: skip
