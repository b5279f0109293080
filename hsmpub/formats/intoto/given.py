"""An attestation with a predicate of the requester's own: an SBOM, a test result, a review.

The statement, its subject and its type are the service's: the policy lists the types that a project may use, and those
by which readers judge builds (hsmpub.model.attested.RESERVED_TYPES) are in nobody's list. Approvers see the predicate
in full.
"""

from __future__ import annotations

from typing import Any

from hsmpub.errors import Invalid
from hsmpub.formats.context import Context
from hsmpub.formats.format import Artifact, Claim
from hsmpub.formats.intoto.envelope import InToto
from hsmpub.formats.intoto.given_read import read_given
from hsmpub.model.attested import check_attestation
from hsmpub.model.key import KeyRecord


class PredicateMissing(Invalid):
    advice = "Say --predicate FILE and --predicate-type TYPE."


class GivenAttestation(InToto):
    """`.given.intoto.jsonl`, with P-256, RSA-3072 or Ed25519."""

    name = "in-toto"
    suffix = ".given.intoto.jsonl"

    def said(self, artifact: Artifact, context: Context) -> tuple[str, Any]:
        if context.attest is None:
            raise PredicateMissing("The request brings no predicate to attest.")
        check_attestation(context.attest)
        return context.attest.type, context.attest.predicate

    def read(self, output: bytes, artifact: Artifact, key: KeyRecord, context: Context | None = None) -> Claim:
        return read_given(output, artifact, key, context)
