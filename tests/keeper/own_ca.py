"""A CA whose key is the keeper's release key in software."""

from __future__ import annotations

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from hsmpub.formats.x509.root import make_root
from hsmpub.model.key import KeyRecord
from tests.keeper.keeping import RELEASE_KEY


def authority(name: str) -> KeyRecord:
    """The record of the CA's key, with a root of its own."""
    public = RELEASE_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    key = KeyRecord(name, "p256", public, 1, ("x509-certificate", "x509-crl"))
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Example CA")])
    root = make_root(key, subject, _sign, at=1_700_000_000, seconds=3650 * 86_400)
    return msgspec.structs.replace(key, certificates=root.decode())


def _sign(digest: bytes) -> bytes:
    r, other = utils.decode_dss_signature(RELEASE_KEY.sign(digest, ec.ECDSA(utils.Prehashed(SHA256()))))
    return r.to_bytes(32, "big") + other.to_bytes(32, "big")
