"""What an attestation says beside the file: a requester's predicate, or a build that the service vouches for.

Both stand in the request's statement, so approvers see them and the log keeps them.
Source: in-toto attestation framework v1.1, "Predicate"; SLSA provenance v1.
"""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

from hsmpub.errors import Invalid
from hsmpub.model.strict_json import unique_members

#: Bytes of a predicate in its compact spelling: with its statement it has to fit into one entry of the log.
MAX_PREDICATE_BYTES = 24 * 1024
_MAX_DEPTH = 32
_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,30}:[!-~]{1,300}")
#: Types whose word readers take for that of a builder, of a verifier or of this service: no requester brings them.
RESERVED_TYPES = ("https://slsa.dev/", "http://slsa.dev/", "urn:hsmpub:", "https://sigstore.dev/")


class PredicateRefused(Invalid):
    advice = (
        f"A predicate is one JSON object of up to {MAX_PREDICATE_BYTES:,} bytes; what is larger is signed as a file."
    )


class PredicateTypeReserved(Invalid):
    advice = "The service itself says where a file comes from: ask for the format 'slsa-provenance'."


class Attestation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A predicate of a requester's own. type: a URI that the policy lists; predicate: a JSON object."""

    type: str
    predicate: dict[str, Any]


class Build(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where files come from, by the identity token that asked: every word is the CI issuer's.

    Attributes:
        builder: URI of what built; type: URI of the schema of `external`; invocation: URI of the run.
        source: `git+https://…@ref`; commit: as the token says, hex.
        external: what whoever started the run chose; internal: the rest that the token says about the run.
    """

    builder: str
    type: str
    invocation: str
    source: str
    commit: str
    external: dict[str, str]
    internal: dict[str, str]


def check_attestation(given: Attestation) -> None:
    """The predicate is one that every reader reads alike, and small enough to show and to log.

    Raises:
        PredicateRefused, PredicateTypeReserved.
    """
    if not _TYPE.fullmatch(given.type):
        raise PredicateRefused("The predicate's type is no URI.")
    if given.type.lower().startswith(RESERVED_TYPES):
        raise PredicateTypeReserved(f"Predicates of the type {given.type!r} are not taken from anybody.")
    if _depth(given.predicate) > _MAX_DEPTH:
        raise PredicateRefused(f"The predicate is nested more than {_MAX_DEPTH} deep.")
    try:
        ours = msgspec.json.encode(given.predicate)
        theirs = json.dumps(given.predicate, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, OverflowError, msgspec.MsgspecError):
        raise PredicateRefused("The predicate holds text or numbers that JSON has no one spelling for.") from None
    if ours != theirs:
        raise PredicateRefused("The predicate holds a number that readers spell in different ways: make it a text.")
    if len(ours) > MAX_PREDICATE_BYTES:
        raise PredicateRefused(f"The predicate has {len(ours):,} bytes.")


def load_attestation(kind: str, data: bytes) -> Attestation:
    """A predicate file with its type. Raises PredicateRefused, PredicateTypeReserved."""
    try:
        predicate = json.loads(data, object_pairs_hook=unique_members)
    except (ValueError, RecursionError):
        raise PredicateRefused("The predicate is no JSON, or names a member twice.") from None
    if not isinstance(predicate, dict):
        raise PredicateRefused("The predicate is no JSON object.")
    given = Attestation(kind, predicate)
    check_attestation(given)
    return given


def _depth(value: Any) -> int:
    """Level by level, so that no nesting is too deep to be measured."""
    level, depth = [value], 0
    while level and depth <= _MAX_DEPTH:
        inner = [v for one in level if isinstance(one, dict) for v in one.values()]
        level = inner + [v for one in level if isinstance(one, list) for v in one]
        depth += 1
    return depth
