"""Reads the service's own provenance and compares all that it says. Builds nothing.

Source: SLSA specification v1.0, "Provenance".
"""

from __future__ import annotations

from typing import Any

from hsmpub.formats.compact_json import members
from hsmpub.formats.context import Context
from hsmpub.formats.dsse_read import DsseMalformed, DssePredicateDiffers, check_subject, read_envelope
from hsmpub.formats.format import Artifact, Claim
from hsmpub.model.key import KeyRecord


def read_provenance(data: bytes, artifact: Artifact, key: KeyRecord, context: Context | None) -> Claim:
    """The claim of an envelope with provenance of this artifact. context: what it must say, or None for anything.

    Raises:
        DsseMalformed, DsseSubjectDiffers, DssePredicateDiffers.
    """
    statement, claim = read_envelope(data, key)
    check_subject(statement, "https://slsa.dev/provenance/v1", artifact)
    predicate = members(statement["predicate"], {"buildDefinition", "runDetails"}, DsseMalformed)
    said = _said(predicate)
    if context is not None and said != _wanted(context):
        raise DssePredicateDiffers("The provenance names another build than the request.")
    return claim


def _said(predicate: dict[str, Any]) -> tuple[Any, ...]:
    """Every value in it, once its members are exactly the known ones."""
    names = {"buildType", "externalParameters", "internalParameters", "resolvedDependencies"}
    definition = members(predicate["buildDefinition"], names, DsseMalformed)
    run = members(predicate["runDetails"], {"builder", "metadata"}, DsseMalformed)
    builder = members(run["builder"], {"id"}, DsseMalformed)["id"]
    invocation = members(run["metadata"], {"invocationId"}, DsseMalformed)["invocationId"]
    external = members(definition["externalParameters"], {"workflow"}, DsseMalformed)["workflow"]
    internal = members(definition["internalParameters"], {"ci", "hsmpub"}, DsseMalformed)
    sources = definition["resolvedDependencies"]
    if not isinstance(sources, list) or len(sources) != 1:
        raise DsseMalformed("The provenance does not name one source.")
    source = members(sources[0], {"uri", "digest"}, DsseMalformed)
    commit = members(source["digest"], {"gitCommit"}, DsseMalformed)["gitCommit"]
    return (builder, definition["buildType"], invocation, source["uri"], commit, external, internal["ci"],
            internal["hsmpub"])  # fmt: skip


def _wanted(context: Context) -> tuple[Any, ...] | None:
    build = context.build
    if build is None:
        return None
    own = {}
    for name in ("service", "request", "project"):
        if value := getattr(context, name):
            own[name] = value
    return (build.builder, build.type, build.invocation, build.source, build.commit, build.external, build.internal,
            own)  # fmt: skip
