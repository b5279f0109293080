"""signify, of OpenBSD: `signify -V -p key.pub -x SHA256.signify -m SHA256`.

Ed25519 over the file itself, so the whole of it travels: for lists of checksums and other small files. Its SHA-256 is
compared with the hash that came beside it.

Why a key of its own: there is nothing around the file, and whoever chooses it chooses what is signed.
Source: signify(1); "signify: Securing OpenBSD From Us To You" (2015), section 3.
"""

from __future__ import annotations

import base64

from hsmpub.formats.base import Detached
from hsmpub.formats.context import Context
from hsmpub.formats.format import Artifact, Claim, Prepared, check_raw
from hsmpub.formats.minisign import key_id
from hsmpub.formats.minisign_read import read_signify
from hsmpub.formats.purposes import check_may_make
from hsmpub.formats.source import Source
from hsmpub.formats.whole import MOST_BYTES, extract_whole, whole_of
from hsmpub.model.key import KeyKind, KeyRecord


class Signify(Detached):
    """`.signify`, Ed25519."""

    name = "signify"
    suffix = ".signify"
    key_kinds: frozenset[KeyKind] = frozenset({"ed25519"})
    detail_limit = MOST_BYTES

    def extract(self, source: Source) -> bytes:
        """The file."""
        return extract_whole(source)

    def prepare(self, artifact: Artifact, key: KeyRecord, context: Context) -> Prepared:
        check_may_make(self, key)
        return Prepared(whole_of(artifact, self), "none", key.kind, (key.name.encode(), key_id(key)))

    def assemble(self, prepared: Prepared, signature: bytes) -> bytes:
        check_raw(prepared, signature)
        name, number = prepared.parts
        return (
            b"untrusted comment: verify with " + name + b".pub\n" + base64.b64encode(b"Ed" + number + signature) + b"\n"
        )

    def read(self, output: bytes, artifact: Artifact, key: KeyRecord, context: Context | None = None) -> Claim:
        return read_signify(output, whole_of(artifact, self), key)
