"""Release attestation: an in-toto Statement about one file, in a DSSE envelope, one JSON line.

It says what only this service can say: this file is of that project, version and commit, asked for by this
requester in that request, under that policy. Its predicate is our own: SLSA's verification summary speaks of build
levels, which the service does not judge, and in-toto's release predicate has no room for request and requester.
"""

from __future__ import annotations

from typing import Any

from hsmpub.formats.context import Context
from hsmpub.formats.dsse_read import read_attestation
from hsmpub.formats.format import Artifact, Claim
from hsmpub.formats.intoto.envelope import InToto
from hsmpub.model.clock import rfc3339
from hsmpub.model.key import KeyRecord

PREDICATE_TYPE = "urn:hsmpub:release-attestation:v1"


class Dsse(InToto):
    """`.intoto.jsonl`, with P-256, RSA-3072 or Ed25519."""

    name = "dsse"
    suffix = ".intoto.jsonl"

    def said(self, artifact: Artifact, context: Context) -> tuple[str, Any]:
        return PREDICATE_TYPE, predicate(context)

    def read(self, output: bytes, artifact: Artifact, key: KeyRecord, context: Context | None = None) -> Claim:
        return read_attestation(output, artifact, key, context)


def predicate(context: Context) -> dict[str, object]:
    """What the attestation says beside the file; members that are empty are left out."""
    said: dict[str, object] = {
        "service": context.service,
        "request": context.request,
        "project": context.project,
        "version": context.version,
        "commit": context.commit,
        "policySha256": context.policy_sha256,
        "requester": dict(context.requester),
        "signedAt": rfc3339(context.at),
    }
    return {name: value for name, value in said.items() if value}
