"""An in-toto Statement about one file, in a DSSE envelope, one JSON line: what all attestations have in common.

The subject is the file by name and SHA-256; where the file is the manifest of an image, its name is the repository, as
cosign has it. A format says only which predicate the statement has.
Source: in-toto attestation framework v1.1 (Statement v1); DSSE protocol v1.0.2 and its JSON envelope.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import msgspec

from hsmpub.formats.base import Detached, prepare_message
from hsmpub.formats.context import Context
from hsmpub.formats.der_signature import bare_signature
from hsmpub.formats.format import Artifact, Prepared
from hsmpub.formats.purposes import check_may_make
from hsmpub.model.key import KeyKind, KeyRecord
from hsmpub.model.statement import PAYLOAD_TYPE, STATEMENT_TYPE, pae

_encoder = msgspec.json.Encoder(order="deterministic")


class InToto(Detached):
    """Makes the envelope; `said` and `read` are the format's own."""

    name: str
    suffix: str
    key_kinds: frozenset[KeyKind] = frozenset({"p256", "rsa3072", "ed25519"})

    @abstractmethod
    def said(self, artifact: Artifact, context: Context) -> tuple[str, Any]:
        """The predicate's type and the predicate. Raises the format's own rules under Invalid."""

    def prepare(self, artifact: Artifact, key: KeyRecord, context: Context) -> Prepared:
        check_may_make(self, key)
        kind, predicate = self.said(artifact, context)
        subject = {"name": artifact.image or artifact.name, "digest": {"sha256": artifact.state.digest().hex()}}
        statement = _encoder.encode(
            {"_type": STATEMENT_TYPE, "subject": [subject], "predicateType": kind, "predicate": predicate}
        )
        return prepare_message(pae(statement), key, statement)

    def assemble(self, prepared: Prepared, signature: bytes) -> bytes:
        envelope = {
            "payload": prepared.parts[0],
            "payloadType": PAYLOAD_TYPE,
            # cosign skips a signature whose key id is another than it computed itself; the empty one fits all
            "signatures": [{"keyid": "", "sig": bare_signature(prepared, signature)}],
        }
        return msgspec.json.encode(envelope) + b"\n"
