"""Reads the service's own attestations and compares all that they say. Builds nothing.

Source: DSSE protocol v1.0.2, "Signature Definition" (PAE); in-toto attestation framework v1.1.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

from hsmpub.formats.compact_json import members, read_base64, read_json
from hsmpub.formats.context import Context
from hsmpub.formats.der_read import read_bare
from hsmpub.formats.format import Artifact, Claim, OutputForAnother, OutputMalformed
from hsmpub.model.key import KeyRecord

_TYPE = "application/vnd.in-toto+json"


class DsseMalformed(OutputMalformed):
    pass


class DsseSubjectDiffers(OutputForAnother):
    advice = "It attests another file."


class DssePredicateDiffers(OutputForAnother):
    advice = "It attests the file for another request, project or version."


def read_attestation(data: bytes, artifact: Artifact, key: KeyRecord, context: Context | None) -> Claim:
    """The claim of an envelope about this artifact. context: what it must say, or None for anything.

    Raises:
        DsseMalformed, DsseSubjectDiffers, DssePredicateDiffers.
    """
    statement, claim = read_envelope(data, key)
    check_subject(statement, "urn:hsmpub:release-attestation:v1", artifact)
    if context is not None and not _says(statement["predicate"], context):
        raise DssePredicateDiffers("The attestation says other things than the request.")
    return claim


def read_envelope(data: bytes, key: KeyRecord) -> tuple[dict[str, Any], Claim]:
    """The statement in an envelope with one signature, and the claim that it makes. Raises DsseMalformed."""
    if not data.endswith(b"\n"):
        raise DsseMalformed("The envelope is not one line.")
    envelope = members(read_json(data[:-1], DsseMalformed), {"payload", "payloadType", "signatures"}, DsseMalformed)
    signatures = envelope["signatures"]
    if envelope["payloadType"] != _TYPE or not isinstance(signatures, list) or len(signatures) != 1:
        raise DsseMalformed("It is not an in-toto envelope with one signature.")
    signature = members(signatures[0], {"keyid", "sig"}, DsseMalformed)
    if signature["keyid"] != "":
        raise DsseMalformed("The envelope names a key id; the service gives none.")
    payload = read_base64(envelope["payload"], DsseMalformed)
    names = {"_type", "subject", "predicateType", "predicate"}
    statement = members(read_json(payload, DsseMalformed), names, DsseMalformed)
    signed = b" ".join((b"DSSEv1", b"%d" % len(_TYPE), _TYPE.encode(), b"%d" % len(payload), payload))
    raw = read_base64(signature["sig"], DsseMalformed)
    if key.kind == "ed25519":
        if len(raw) != 64:
            raise DsseMalformed("An Ed25519 signature has 64 bytes.")
        return statement, Claim(signed, "none", raw)
    return statement, Claim(hashlib.sha256(signed).digest(), "sha256", read_bare(raw, key.kind, DsseMalformed))


def check_subject(statement: dict[str, Any], predicate_type: str, artifact: Artifact) -> None:
    """It is of this type and about this file, or image, alone. Raises DsseMalformed, DsseSubjectDiffers."""
    said = (statement["_type"], statement["predicateType"])
    if said != ("https://in-toto.io/Statement/v1", predicate_type) or not isinstance(statement["predicate"], dict):
        raise DsseMalformed("It is not the attestation that it should be.")
    name = artifact.image if artifact.image else artifact.name
    if statement["subject"] != [{"name": name, "digest": {"sha256": artifact.state.digest().hex()}}]:
        raise DsseSubjectDiffers(f"The attestation is not about {name!r} with this content.")


def _says(predicate: dict[str, Any], context: Context) -> bool:
    """Each member is said as it is in the context, or left out where the context has nothing to say."""
    left = dict(predicate)
    words = {name: getattr(context, name) for name in ("service", "request", "project", "version", "commit")}
    words |= {"policySha256": context.policy_sha256, "requester": dict(context.requester)}
    if any(left.pop(name, None) != (value or None) for name, value in words.items()):
        return False
    at = datetime.fromtimestamp(context.at, UTC).isoformat().replace("+00:00", "Z")
    return left == {"signedAt": at}
