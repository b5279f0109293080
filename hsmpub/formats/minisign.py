"""minisign: `minisign -V -P … -x x.minisig -m x`, in its prehashed form.

The first signature is over BLAKE2b-512 of the file; the second covers the first and the trusted comment, so nobody can
put another comment beside a signature. The service writes the comment: time and name of the file.

Why a key of its own: the 64 bytes of the hash come from the client, so with a chosen file they may be anything of that
length. On a key that makes nothing else they are only ever 64 bytes, while what the second signature covers is longer;
so no chosen hash makes a comment. (minisign's older form signs a file itself, and its letters "Ed" are not covered: the
signature of a file is one of the 64 bytes of its hash, too.)
Source: https://jedisct1.github.io/minisign/, "Signature format".
"""

from __future__ import annotations

import base64
import functools
import hashlib

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hsmpub.formats.base import Detached
from hsmpub.formats.context import Context
from hsmpub.formats.detail import DetailMalformed, detail_of
from hsmpub.formats.format import Artifact, Claim, Prepared, check_raw, claim_of
from hsmpub.formats.minisign_read import read_minisign
from hsmpub.formats.public_key import load_public
from hsmpub.formats.purposes import check_may_make
from hsmpub.formats.source import Source, pieces
from hsmpub.model.key import KeyKind, KeyRecord


class Minisign(Detached):
    """`.minisig`, Ed25519."""

    name = "minisign"
    suffix = ".minisig"
    key_kinds: frozenset[KeyKind] = frozenset({"ed25519"})
    detail_limit = 64

    def extract(self, source: Source) -> bytes:
        """BLAKE2b-512 of the file."""
        state = hashlib.blake2b()
        for piece in pieces(source, 0, source.size):
            state.update(piece)
        return state.digest()

    def prepare(self, artifact: Artifact, key: KeyRecord, context: Context) -> Prepared:
        check_may_make(self, key)
        comment = f"timestamp:{context.at}\tfile:{artifact.name}\thashed".encode()
        return Prepared(_hash_of(artifact, self), "none", key.kind, (key.name.encode(), key_id(key), comment))

    def follow(self, prepared: Prepared, signature: bytes) -> Prepared | None:
        check_raw(prepared, signature)
        if prepared.after is not None:
            return None
        first = claim_of(prepared, signature)
        return Prepared(signature + prepared.parts[2], "none", prepared.kind, prepared.parts, after=first)

    def assemble(self, prepared: Prepared, signature: bytes) -> bytes:
        check_raw(prepared, signature)
        assert prepared.after is not None
        name, number, comment = prepared.parts
        lines = (
            b"untrusted comment: signature of the key " + name,
            base64.b64encode(b"ED" + number + prepared.after.signature),
            b"trusted comment: " + comment,
            base64.b64encode(signature),
        )
        return b"".join(line + b"\n" for line in lines)

    def read(self, output: bytes, artifact: Artifact, key: KeyRecord, context: Context | None = None) -> Claim:
        return read_minisign(output, artifact.name, _hash_of(artifact, self), key, context)


def _hash_of(artifact: Artifact, form: Minisign) -> bytes:
    detail = detail_of(artifact, form)
    if len(detail) != 64:
        raise DetailMalformed(f"What came with {artifact.name!r} is no BLAKE2b-512 digest.")
    return detail


@functools.lru_cache(maxsize=256)
def key_id(key: KeyRecord) -> bytes:
    """Eight bytes by which minisign and signify find a key: of the SHA-256 of its raw public half."""
    return hashlib.sha256(_raw(key)).digest()[:8]


def public_key_line(key: KeyRecord) -> str:
    """`RW…`: what `minisign -P` takes, and the second line of a public key file of minisign and signify."""
    return base64.b64encode(b"Ed" + key_id(key) + _raw(key)).decode()


def _raw(key: KeyRecord) -> bytes:
    return load_public(key).public_bytes(Encoding.Raw, PublicFormat.Raw)
