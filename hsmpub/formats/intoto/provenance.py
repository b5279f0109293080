"""SLSA provenance v1: by which run of which workflow, from which commit, a file came, in the service's words.

Builder, source, commit and run are what the CI issuer said of the job in the identity token that the keeper verified
(hsmpub.identity.build); the requester chooses none of them. What the service has not seen is that this run made this
file: it knows that this run asked for its signature.
Source: SLSA specification v1.0, "Provenance" (https://slsa.dev/provenance/v1).
"""

from __future__ import annotations

from typing import Any

from hsmpub.errors import Invalid
from hsmpub.formats.context import Context
from hsmpub.formats.format import Artifact, Claim
from hsmpub.formats.intoto.envelope import InToto
from hsmpub.formats.intoto.provenance_read import read_provenance
from hsmpub.model.key import KeyRecord

PREDICATE_TYPE = "https://slsa.dev/provenance/v1"


class BuildUnknown(Invalid):
    advice = "Ask from a job of GitHub Actions or GitLab CI, whose tokens say what is built."


class SlsaProvenance(InToto):
    """`.slsa.intoto.jsonl`, with P-256, RSA-3072 or Ed25519."""

    name = "slsa-provenance"
    suffix = ".slsa.intoto.jsonl"

    def said(self, artifact: Artifact, context: Context) -> tuple[str, Any]:
        build = context.build
        if build is None:
            raise BuildUnknown("The request does not say from which build its files come.")
        service = {"service": context.service, "request": context.request, "project": context.project}
        return PREDICATE_TYPE, {
            "buildDefinition": {
                "buildType": build.type,
                "externalParameters": {"workflow": build.external},
                "internalParameters": {"ci": build.internal, "hsmpub": {n: v for n, v in service.items() if v}},
                "resolvedDependencies": [{"uri": build.source, "digest": {"gitCommit": build.commit}}],
            },
            "runDetails": {"builder": {"id": build.builder}, "metadata": {"invocationId": build.invocation}},
        }

    def read(self, output: bytes, artifact: Artifact, key: KeyRecord, context: Context | None = None) -> Claim:
        return read_provenance(output, artifact, key, context)
