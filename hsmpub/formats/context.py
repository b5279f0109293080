"""What a request says of its signatures: one reading of it, for whoever makes them and for whoever judges a receipt."""

from __future__ import annotations

import msgspec

from hsmpub.formats.format import Context
from hsmpub.model.statement import Predicate, Profiles


def context_of(predicate: Predicate, service: str, at: int) -> Context:
    """What signatures of this request may say beside the file."""
    return Context(
        at=at,
        service=service,
        request=predicate.request,
        project=predicate.project,
        version=predicate.version,
        commit=predicate.commit,
        policy_sha256=predicate.policy_sha256,
        requester=predicate.requester,
        attest=predicate.attest,
        build=predicate.build,
        tuf_longest=predicate.tuf_longest,
        **msgspec.structs.asdict(Profiles.of(predicate)),
    )
