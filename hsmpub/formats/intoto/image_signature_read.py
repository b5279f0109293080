"""Reads the service's signatures over images in the form of an attestation. Builds nothing."""

from __future__ import annotations

from hsmpub.formats.dsse_read import DssePredicateDiffers, check_subject, read_envelope
from hsmpub.formats.format import Artifact, Claim
from hsmpub.model.key import KeyRecord


def read_image_signature(data: bytes, artifact: Artifact, key: KeyRecord) -> Claim:
    """The claim of an envelope that says of this image that it is signed, and no more.

    Raises:
        DsseMalformed, DsseSubjectDiffers, DssePredicateDiffers.
    """
    statement, claim = read_envelope(data, key)
    check_subject(statement, "https://sigstore.dev/cosign/sign/v1", artifact)
    if statement["predicate"] != {}:
        raise DssePredicateDiffers("The signature of an image says more than that it is signed.")
    return claim
