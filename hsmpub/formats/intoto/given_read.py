"""Reads the service's attestations with a requester's predicate. Builds nothing."""

from __future__ import annotations

from hsmpub.formats.context import Context
from hsmpub.formats.dsse_read import DsseMalformed, DssePredicateDiffers, check_subject, read_envelope
from hsmpub.formats.format import Artifact, Claim
from hsmpub.model.key import KeyRecord


def read_given(data: bytes, artifact: Artifact, key: KeyRecord, context: Context | None) -> Claim:
    """The claim of an envelope with a requester's predicate. context: what it must say, or None for anything.

    Raises:
        DsseMalformed, DsseSubjectDiffers, DssePredicateDiffers.
    """
    statement, claim = read_envelope(data, key)
    kind = statement["predicateType"]
    # what cannot be a requester's own was not made as this format
    if not isinstance(kind, str) or kind.lower().startswith(("urn:hsmpub:", "https://slsa.dev/", "http://slsa.dev/")):
        raise DsseMalformed("It is no attestation with a requester's predicate.")
    check_subject(statement, kind, artifact)
    if context is not None:
        wanted = context.attest
        if wanted is None or (kind, statement["predicate"]) != (wanted.type, wanted.predicate):
            raise DssePredicateDiffers("The attestation holds another predicate than the request.")
    return claim
