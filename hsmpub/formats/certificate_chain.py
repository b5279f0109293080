"""A chain of X.509 certificates for a key in the HSM, as a CA gave it: checked before anything is made with it.

1 certificates, each once, the key's own first, and nothing else but text around them, as `openssl` writes it
2 it is for the very key
3 each is issued by the next: name and signature; the issuers are CAs and may issue that deep
4 all are valid now, and no signature uses a weak hash
5 the first is for code signing, or for timestamps alone where that is what the key makes, and is no CA; or it is one of
  a CA, where the key is for that

Whether the last is trusted by anybody is for those who verify: a CA need not send its root.
Source: RFC 5280, 4.2.1.3, 4.2.1.9, 4.2.1.12 and 6.1.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.hashes import SHA1, SHA224, SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hsmpub.errors import Invalid
from hsmpub.formats.certificate_usage import check_authority, check_usage, key_usage
from hsmpub.formats.public_key import spki_sha256
from hsmpub.formats.x509_read import load_whole
from hsmpub.model.clock import rfc3339
from hsmpub.model.key import KeyRecord

MAX_CERTIFICATES = 6
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]{1,12000}-----END CERTIFICATE-----\n?")
_WEAK = (SHA1, SHA224)


class ChainMalformed(Invalid):
    advice = (
        f"Give the certificates in PEM, the key's own first, {MAX_CERTIFICATES} at most, and nothing secret. Of a .p7b:"
        " 'openssl pkcs7 -print_certs -in FILE' (-inform DER if it is not text); of a .cer or .der:"
        " 'openssl x509 -inform DER -in FILE'."
    )


class CertificateForAnotherKey(Invalid):
    advice = "Give the certificate that the CA made from this key's request, before those of its issuers."


class ChainBroken(Invalid):
    advice = "Put each certificate before the one that issued it, and leave none out but the root."


class IssuerMayNotIssue(Invalid):
    advice = "Ask the CA for the right intermediate certificates."


class CertificateNotValidNow(Invalid):
    advice = "Ask the CA for a certificate that is valid, and look at this machine's clock."


class CertificateWeak(Invalid):
    advice = "Ask the CA for certificates signed with SHA-256 or better."


class ChainFacts(msgspec.Struct, frozen=True):
    """What a checked chain says. valid_until: seconds since 1970, of the first that ends; sha256: of the key's own."""

    subject: str
    issuer: str
    serial: str
    valid_until: int
    sha256: str
    length: int
    pem: str


def check_chain(text: str, key: KeyRecord | None, *, now: int, authority: bool = False) -> ChainFacts:
    """Checks all of the above. key: None in a rehearsal, whose key is another one. now: seconds since 1970.
    authority: it is to be one of a CA.

    Raises:
        ChainMalformed, CertificateForAnotherKey, ChainBroken, IssuerMayNotIssue, CertificateNotValidNow,
        CertificateWeak, CertificateUsageUnfit.
    """
    chain = load_chain(text)
    own = chain[0]
    if key is not None and _key_sha256(own) != spki_sha256(key.public):
        raise CertificateForAnotherKey(f"The first certificate is not for the key {key.name!r}.")
    check_issued(chain)
    for certificate in chain:
        _check_now(certificate, datetime.fromtimestamp(now, UTC))
    if authority:
        check_authority(own)
    else:
        check_usage(own, key)
    return ChainFacts(
        subject=own.subject.rfc4514_string(),
        issuer=own.issuer.rfc4514_string(),
        serial=f"{own.serial_number:x}",
        valid_until=min(int(certificate.not_valid_after_utc.timestamp()) for certificate in chain),
        sha256=own.fingerprint(SHA256()).hex(),
        length=len(chain),
        pem="".join(certificate.public_bytes(Encoding.PEM).decode() for certificate in chain),
    )


def load_chain(text: str) -> list[x509.Certificate]:
    """The certificates of a PEM file. Text around them says nothing (RFC 7468, 2). Raises ChainMalformed."""
    text = text.replace("\r\n", "\n")
    blocks = _PEM.findall(text)
    if "-----" in _PEM.sub("", text):
        raise ChainMalformed("The chain holds something else than certificates, or one that is cut.")
    if not 1 <= len(blocks) <= MAX_CERTIFICATES:
        raise ChainMalformed(f"The chain holds {len(blocks)} certificates.")
    try:
        chain = [load_whole(block.encode()) for block in blocks]
    except ValueError as error:
        raise ChainMalformed(f"A certificate cannot be read: {error}.") from None
    if len({certificate.public_bytes(Encoding.DER) for certificate in chain}) != len(chain):
        raise ChainMalformed("A certificate comes twice.")
    return chain


def check_issued(chain: Sequence[x509.Certificate]) -> None:
    """Each is issued by the next one, which may. Raises ChainBroken, CertificateWeak, IssuerMayNotIssue."""
    last = chain[-1]
    if len(chain) == 1 and last.issuer != last.subject:
        raise ChainBroken("The certificate's issuer is not there.")
    if last.issuer == last.subject:
        _verify(last, last)
    for depth, (certificate, issuer) in enumerate(pairwise(chain)):
        _verify(certificate, issuer)
        _check_issuer(issuer, depth)


def _verify(certificate: x509.Certificate, issuer: x509.Certificate) -> None:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError):
        name, by = certificate.subject.rfc4514_string(), issuer.subject.rfc4514_string()
        raise ChainBroken(f"{name!r} was not issued by {by!r}, which comes next.") from None
    if isinstance(certificate.signature_hash_algorithm, _WEAK):
        raise CertificateWeak(f"{certificate.subject.rfc4514_string()!r} is signed with a weak hash.")


def _check_issuer(issuer: x509.Certificate, depth: int) -> None:
    """depth: how many issuers stand between it and the key's own certificate."""
    name = issuer.subject.rfc4514_string()
    try:
        basic = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        basic = x509.BasicConstraints(ca=False, path_length=None)
    if not basic.ca or (basic.path_length is not None and basic.path_length < depth):
        raise IssuerMayNotIssue(f"{name!r} is no CA, or may not issue this deep.")
    usage = key_usage(issuer)
    if usage is not None and not usage.key_cert_sign:
        raise IssuerMayNotIssue(f"{name!r} may not sign certificates.")


def _check_now(certificate: x509.Certificate, now: datetime) -> None:
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        first, last = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        raise CertificateNotValidNow(
            f"{certificate.subject.rfc4514_string()!r} is valid from {rfc3339(int(first.timestamp()))}"
            f" to {rfc3339(int(last.timestamp()))}."
        )


def _key_sha256(certificate: x509.Certificate) -> bytes:
    pem = certificate.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return spki_sha256(pem)
