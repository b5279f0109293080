"""Who signed a timestamp: the certificate that the token names, its signature, and whether it leads to a pinned one.

Source: RFC 3161, section 2.3; RFC 5816 (signing certificate); RFC 5280, section 6 (a short, plain chain).
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import ExtendedKeyUsageOID

from hsmpub.errors import Invalid
from hsmpub.formats.x509_read import UNREADABLE

_DEPTH = 6
TIMESTAMP_HASHES: dict[str, HashAlgorithm] = {"sha256": SHA256(), "sha384": SHA384(), "sha512": SHA512()}
#: Of a certificate that is there, and cannot be what it should.
_UNFIT: tuple[type[Exception], ...] = (InvalidSignature, x509.ExtensionNotFound, *UNREADABLE)


class TimestampUntrusted(Invalid):
    advice = "Look at the authority's certificate and at the file that pins it, or ask another authority."


def loaded(ders: Sequence[bytes]) -> list[x509.Certificate]:
    """Raises ValueError also for what the parser only warns of: a serial number that is not positive, and the like."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", CryptographyDeprecationWarning)
            return [x509.load_der_x509_certificate(der) for der in ders]
    except (CryptographyDeprecationWarning, x509.InvalidVersion):
        raise ValueError("a certificate is malformed") from None


def signer_of(attributes: Any, certificates: Sequence[x509.Certificate]) -> x509.Certificate:
    """The certificate that the signed attributes name. Raises the errors of a broken token."""
    if "signing_certificate_v2" in attributes:
        [first, *_] = attributes["signing_certificate_v2"][0]["certs"]
        name, wanted = first["hash_algorithm"]["algorithm"].native, first["cert_hash"].native
    else:
        [first, *_] = attributes["signing_certificate"][0]["certs"]
        name, wanted = "sha1", first["cert_hash"].native
    [leaf] = [one for one in certificates if hashlib.new(name, one.public_bytes(Encoding.DER)).digest() == wanted]
    return leaf


def verify_signer(leaf: x509.Certificate, signer: Any) -> None:
    """Raises InvalidSignature, and KeyError for an algorithm that is not taken."""
    public, signature = leaf.public_key(), signer["signature"].native
    signed = b"\x31" + signer["signed_attrs"].dump()[1:]
    digest = signer["digest_algorithm"]["algorithm"].native
    algorithm = signer["signature_algorithm"]
    used = algorithm.signature_algo
    hash_ = TIMESTAMP_HASHES[digest if algorithm["algorithm"].native == "rsassa_pkcs1v15" else algorithm.hash_algo]
    if isinstance(public, rsa.RSAPublicKey) and public.key_size >= 2048 and used == "rsassa_pkcs1v15":
        public.verify(signature, signed, padding.PKCS1v15(), hash_)
    elif isinstance(public, ec.EllipticCurvePublicKey) and used == "ecdsa":
        public.verify(signature, signed, ec.ECDSA(hash_))
    else:
        raise KeyError(used)


def check_authority(
    leaf: x509.Certificate, others: Sequence[x509.Certificate], pins: Sequence[x509.Certificate], at: int
) -> None:
    """The certificate is one for timestamps, and pinned, or issued under a pinned one; each valid at that time.

    Raises:
        TimestampUntrusted.
    """
    try:
        usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except _UNFIT:
        raise TimestampUntrusted("The authority's certificate has no extended key usage.") from None
    if not usage.critical or list(usage.value) != [ExtendedKeyUsageOID.TIME_STAMPING]:
        raise TimestampUntrusted("The authority's certificate is not one for timestamps alone.")
    when, current = datetime.fromtimestamp(at, UTC), leaf
    for below in range(_DEPTH):
        if not current.not_valid_before_utc <= when <= current.not_valid_after_utc:
            raise TimestampUntrusted("A certificate of the authority was not valid at that time.")
        if current in pins:
            return
        issuer = next((one for one in (*pins, *others) if _issued(one, current, below)), None)
        if issuer is None:
            break
        current = issuer
    raise TimestampUntrusted("The authority's certificate does not lead to a pinned one.")


def _issued(issuer: x509.Certificate, certificate: x509.Certificate, below: int) -> bool:
    """below: authorities between it and the leaf."""
    try:
        certificate.verify_directly_issued_by(issuer)
        basic = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
        allowed = basic.ca and (basic.path_length is None or below <= basic.path_length)
        try:
            return allowed and issuer.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
        except x509.ExtensionNotFound:
            return allowed
    except _UNFIT:
        return False
