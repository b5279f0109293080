"""The CA's side of a certificate: its name and key identifier, and how what it signs is put together.

cryptography builds what is to be signed, with a key that answers nothing; the signature comes from the HSM afterwards.
"""

from __future__ import annotations

import base64
import functools
import hashlib

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from hsmpub.errors import Forbidden, Invalid
from hsmpub.formats.cms.chain import load_chain
from hsmpub.formats.cms.der import sequence, tlv
from hsmpub.formats.format import SIGNATURE_BYTES, Prepared, check_raw
from hsmpub.formats.hsm_key import HsmEcKey, HsmRsaKey, hsm_key
from hsmpub.model.key import KeyKind, KeyRecord
from hsmpub.model.said import Said

#: AlgorithmIdentifier: ecdsa-with-SHA256 (RFC 5758), sha256WithRSAEncryption (RFC 4055).
_ALGORITHMS: dict[KeyKind, bytes] = {
    "p256": bytes.fromhex("300a06082a8648ce3d040302"),
    "rsa3072": bytes.fromhex("300d06092a864886f70d01010b0500"),
}
KINDS: frozenset[KeyKind] = frozenset(_ALGORITHMS)


class NotAnAuthority(Forbidden):
    advice = "Import the certificate of a CA for this key, with 'hsmpub-ceremony certificate-import'."


class AuthorityNotValidNow(Invalid):
    advice = "Renew the CA's certificate with 'hsmpub-ceremony csr' and 'certificate-import'."


class Authority(msgspec.Struct, frozen=True):
    """valid_from, valid_until: seconds since 1970, of its own certificate."""

    name: x509.Name
    identifier: x509.AuthorityKeyIdentifier
    valid_from: int
    valid_until: int
    hosts: tuple[str, ...] | None


def load_authority(key: KeyRecord, at: int) -> Authority:
    """Raises CertificateMissing, CertificateOfAnotherKey, NotAnAuthority, AuthorityNotValidNow."""
    found = _load(key)
    if not found.valid_from <= at <= found.valid_until:
        raise AuthorityNotValidNow(f"The CA certificate of {key.name!r} is over, or has not begun.")
    return found


@functools.lru_cache(maxsize=64)
def _load(key: KeyRecord) -> Authority:
    own = x509.load_der_x509_certificate(load_chain(key).ders[0])
    try:
        basic = own.extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = own.extensions.get_extension_for_class(x509.KeyUsage).value
        identifier = own.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        raise NotAnAuthority(f"The certificate of {key.name!r} is none of a CA.") from None
    if not (basic.ca and usage.key_cert_sign and usage.crl_sign):
        raise NotAnAuthority(f"The certificate of {key.name!r} is none of a CA that may revoke, too.")
    return Authority(
        own.subject,
        x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier),
        int(own.not_valid_before_utc.timestamp()),
        int(own.not_valid_after_utc.timestamp()),
        _permitted_hosts(own),
    )


def _permitted_hosts(own: x509.Certificate) -> tuple[str, ...] | None:
    try:
        subtrees = own.extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees
    except x509.ExtensionNotFound:
        return None
    hosts = tuple(one.value for one in subtrees or () if isinstance(one, x509.DNSName))
    return hosts or None


def is_within(host: str, authority: Authority) -> bool:
    """Whether the CA's own name constraints let it certify the host. Source: RFC 5280, 4.2.1.10."""
    trees = authority.hosts
    return trees is None or any(host == tree or host.endswith("." + tree.removeprefix(".")) for tree in trees)


def unsigned_by(key: KeyRecord) -> HsmEcKey | HsmRsaKey:
    """A key for cryptography's builders that leaves a hole where the signature goes. Raises KeyKindUnfit."""
    return hsm_key(key, lambda _: bytes(SIGNATURE_BYTES[key.kind]))


def prepared_of(tbs: bytes, key: KeyRecord, said: Said) -> Prepared:
    """tbs: DER of what is signed."""
    return Prepared(hashlib.sha256(tbs).digest(), "sha256", key.kind, (tbs,), said=said)


def signed(prepared: Prepared, signature: bytes, label: str) -> bytes:
    """PEM of the whole, which for certificates and lists is the same SEQUENCE. Raises RawSignatureMalformed."""
    check_raw(prepared, signature)
    if prepared.kind == "p256":
        r, s = signature[:32], signature[32:]
        signature = encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))
    der = sequence(prepared.parts[0], _ALGORITHMS[prepared.kind], tlv(0x03, b"\0", signature))
    plain = base64.b64encode(der).decode()
    lines = "\n".join(plain[at : at + 64] for at in range(0, len(plain), 64))
    return f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n".encode()


HASH = SHA256()
