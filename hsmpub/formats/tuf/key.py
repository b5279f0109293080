"""The service's keys as TUF's root metadata names them.

Source: TUF specification 1.0, section 4.2 ("keytype", "scheme", "keyval", "KEYID").
"""

from __future__ import annotations

import functools
import hashlib

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hsmpub.formats.public_key import load_public
from hsmpub.formats.tuf.canonical import canonical
from hsmpub.model.key import KeyKind, KeyRecord

#: Not RSA: TUF's scheme for it is PSS, which the signer does not make.
TUF_KINDS: frozenset[KeyKind] = frozenset({"p256", "ed25519"})


def tuf_key(key: KeyRecord) -> dict[str, object]:
    """The key object of root metadata; for P-256 the public half is in PEM, for Ed25519 in hex."""
    public = load_public(key)
    if key.kind == "ed25519":
        raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
        return {"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": raw}}
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return {"keytype": "ecdsa", "scheme": "ecdsa-sha2-nistp256", "keyval": {"public": pem}}


@functools.lru_cache(maxsize=256)
def tuf_key_id(key: KeyRecord) -> str:
    """SHA-256 of the key object in canonical JSON, hex."""
    return hashlib.sha256(canonical(tuf_key(key))).hexdigest()
