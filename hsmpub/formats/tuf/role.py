"""A signature over the metadata of one TUF role: `tuf-root`, `tuf-targets`, `tuf-snapshot`, `tuf-timestamp`.

The file is the metadata's member `signed` in canonical JSON: the very bytes that TUF signs, and so the digest in the
log is theirs. The whole of it is the detail, read in full before anything is signed (hsmpub.formats.tuf.metadata); what
is not understood is refused. The output is the signature object that goes into the metadata's `signatures`.

A key that serves one role may serve others, where its ceremony named them: each role's bytes begin with its own
`_type`, so none fits two. Nothing else is made by it.
Source: TUF specification 1.0, section 4.2.
"""

from __future__ import annotations

import json

from hsmpub.formats.base import Detached, prepare_message
from hsmpub.formats.context import Context
from hsmpub.formats.der_signature import bare_signature
from hsmpub.formats.format import Artifact, Claim, Prepared
from hsmpub.formats.purposes import check_may_make
from hsmpub.formats.source import Source
from hsmpub.formats.tuf.key import TUF_KINDS, tuf_key_id
from hsmpub.formats.tuf.metadata import Metadata, Role, check_expiry, read_metadata
from hsmpub.formats.tuf.read import read_signature
from hsmpub.formats.tuf.rules import TufRefused
from hsmpub.formats.whole import whole_of
from hsmpub.model.key import KeyRecord

#: Of metadata; some 1,500 targets.
MOST_BYTES = 256 * 1024


class TufTooLarge(TufRefused):
    advice = "Split the targets over several repositories."


class TufRole(Detached):
    """`.tuf-ROLE`, P-256 or Ed25519."""

    key_kinds = TUF_KINDS
    detail_limit = MOST_BYTES

    def __init__(self, role: Role) -> None:
        self.role: Role = role
        self.name = f"tuf-{role}"
        self.suffix = f".tuf-{role}"

    def recognises(self, name: str, head: bytes) -> bool:
        return head.startswith(b'{"_type":"%s",' % self.role.encode())

    def extract(self, source: Source) -> bytes:
        """The whole of it, once it was read."""
        if source.size > MOST_BYTES:
            raise TufTooLarge(f"TUF metadata of up to {MOST_BYTES:,} bytes is signed; this has {source.size:,}.")
        payload = source.read(0, source.size)
        read_metadata(payload, self.role)
        return payload

    def metadata(self, artifact: Artifact) -> Metadata:
        """What the file says. Raises DetailMissing, DetailMalformed and rules under it."""
        return read_metadata(whole_of(artifact, self), self.role)

    def prepare(self, artifact: Artifact, key: KeyRecord, context: Context) -> Prepared:
        """Raises also TufExpiryRefused and other rules under TufRefused."""
        check_may_make(self, key)
        check_expiry(self.metadata(artifact), context.at, context.tuf_longest)
        return prepare_message(whole_of(artifact, self), key, tuf_key_id(key).encode())

    def assemble(self, prepared: Prepared, signature: bytes) -> bytes:
        sig = bare_signature(prepared, signature)
        return json.dumps({"keyid": prepared.parts[0].decode(), "sig": sig.hex()}, separators=(",", ":")).encode()

    def read(self, output: bytes, artifact: Artifact, key: KeyRecord, context: Context | None = None) -> Claim:
        return read_signature(output, whole_of(artifact, self), key)
