"""Reads the service's own sigstore bundles and compares all that they say. Builds nothing.

Source: sigstore/protobuf-specs, sigstore_bundle.proto v0.3.
"""

from __future__ import annotations

import base64

from hsmpub.formats.compact_json import members, read_base64, read_json
from hsmpub.formats.der_read import read_bare
from hsmpub.formats.format import Claim, OutputForAnother, OutputMalformed
from hsmpub.formats.public_key import spki_sha256
from hsmpub.model.key import KeyRecord


class BundleMalformed(OutputMalformed):
    pass


class BundleKeyDiffers(OutputForAnother):
    advice = "It was made by another key than the one pinned for this service."


class BundleDigestDiffers(OutputForAnother):
    advice = "It was made for a file with other content."


def read_bundle(data: bytes, digest: bytes, key: KeyRecord) -> Claim:
    """The claim of a bundle. digest: SHA-256 of the file, 32 bytes.

    Raises:
        BundleMalformed, BundleKeyDiffers, BundleDigestDiffers.
    """
    top = read_json(data, BundleMalformed)
    top = members(top, {"mediaType", "verificationMaterial", "messageSignature"}, BundleMalformed)
    if top["mediaType"] != "application/vnd.dev.sigstore.bundle.v0.3+json":
        raise BundleMalformed("It is not a sigstore bundle of version 0.3.")
    material = members(top["verificationMaterial"], {"publicKey"}, BundleMalformed)
    hint = members(material["publicKey"], {"hint"}, BundleMalformed)["hint"]
    if hint != base64.standard_b64encode(spki_sha256(key.public)).decode():
        raise BundleKeyDiffers(f"The bundle does not name the key {key.name!r}.")
    signed = members(top["messageSignature"], {"messageDigest", "signature"}, BundleMalformed)
    stated = members(signed["messageDigest"], {"algorithm", "digest"}, BundleMalformed)
    if stated["algorithm"] != "SHA2_256":
        raise BundleMalformed("The bundle's digest is not SHA-256.")
    if read_base64(stated["digest"], BundleMalformed) != digest:
        raise BundleDigestDiffers("The bundle states another digest.")
    raw = read_bare(read_base64(signed["signature"], BundleMalformed), key.kind, BundleMalformed)
    return Claim(digest, "sha256", raw)
