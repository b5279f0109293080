"""Release attestation: an in-toto Statement about one file, in a DSSE envelope, one JSON line.

It says what only this service can say: this file is of that project, version and commit, asked for by this
requester in that request, under that policy. Its predicate is our own: SLSA's verification summary speaks of build
levels, which the service does not judge, and in-toto's release predicate has no room for request and requester.
Source: in-toto attestation framework v1.1 (Statement v1); DSSE protocol v1.0.2 and its JSON envelope.
"""

from __future__ import annotations

import hashlib

import msgspec

from hsmpub.formats.der_signature import ecdsa_der
from hsmpub.formats.dsse_read import read_attestation
from hsmpub.formats.format import Artifact, Claim, Context, Detached, Prepared, check_raw
from hsmpub.formats.public_key import check_claim
from hsmpub.formats.purposes import check_may_make
from hsmpub.model.clock import rfc3339
from hsmpub.model.key import KeyKind, KeyRecord
from hsmpub.model.statement import PAYLOAD_TYPE, STATEMENT_TYPE, pae

PREDICATE_TYPE = "urn:hsmpub:release-attestation:v1"

_encoder = msgspec.json.Encoder(order="deterministic")


class Dsse(Detached):
    """`.intoto.jsonl`, with P-256, RSA-3072 or Ed25519."""

    name = "dsse"
    suffix = ".intoto.jsonl"
    key_kinds: frozenset[KeyKind] = frozenset({"p256", "rsa3072", "ed25519"})
    bare = False

    def prepare(self, artifact: Artifact, key: KeyRecord, context: Context) -> Prepared:
        check_may_make(self, key)
        statement = _encoder.encode(
            {
                "_type": STATEMENT_TYPE,
                "subject": [{"name": artifact.name, "digest": {"sha256": artifact.state.digest().hex()}}],
                "predicateType": PREDICATE_TYPE,
                "predicate": predicate(context),
            }
        )
        encoded = pae(statement)
        if key.kind == "ed25519":
            return Prepared(encoded, "none", key.kind, (statement,))
        return Prepared(hashlib.sha256(encoded).digest(), "sha256", key.kind, (statement,))

    def assemble(self, prepared: Prepared, signature: bytes) -> bytes:
        check_raw(prepared, signature)
        if prepared.kind == "p256":
            signature = ecdsa_der(signature)
        envelope = {
            "payload": prepared.parts[0],
            "payloadType": PAYLOAD_TYPE,
            # cosign skips a signature whose key id is another than it computed itself; the empty one fits all
            "signatures": [{"keyid": "", "sig": signature}],
        }
        return msgspec.json.encode(envelope) + b"\n"

    def read(self, output: bytes, artifact: Artifact, key: KeyRecord, context: Context | None = None) -> Claim:
        return read_attestation(output, artifact, key, context)

    def check(self, output: bytes, artifact: Artifact, key: KeyRecord, context: Context | None = None) -> None:
        check_claim(self.read(output, artifact, key, context), key)


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
