"""RFC 3161: asks for a timestamp, and reads what comes: over these bytes, for this question, by an authority's key.

Source: RFC 3161, section 2.4; RFC 5816 (signing certificate); RFC 5280, section 6 (a short, plain chain).
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from asn1crypto import cms as asn1_cms
from asn1crypto import tsp
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import ExtendedKeyUsageOID

from hsmpub.errors import Invalid
from hsmpub.formats.cms.der import integer, octets, sequence, tlv
from hsmpub.formats.cms.der_check import check_der, contents, members
from hsmpub.formats.cms.signed_data import SHA256 as SHA256_DER
from hsmpub.formats.x509_read import UNREADABLE

MAX_RESPONSE_BYTES = 1 << 16
_DEPTH = 6
_HASHES: dict[str, HashAlgorithm] = {"sha256": SHA256(), "sha384": SHA384(), "sha512": SHA512()}


class TimestampMalformed(Invalid):
    advice = "Ask another authority: what this one sends is no timestamp."


class TimestampRefused(Invalid):
    advice = "See what the authority says, or ask another one."


class TimestampForAnother(Invalid):
    advice = "Nothing was written. The authority answered another question; ask another one, and report it."


class TimestampUntrusted(Invalid):
    advice = "Look at the authority's certificate and at the file that pins it, or ask another authority."


class TimestampOffTime(Invalid):
    advice = "Set this machine's clock, or ask another authority."


class Token(NamedTuple):
    """der: the ContentInfo, as it goes into a signature; at: what it says, seconds since 1970."""

    der: bytes
    at: int


class Seen(NamedTuple):
    """A token that verified. at: what it says, seconds since 1970; by: the authority's own certificate."""

    at: int
    by: x509.Certificate


def timestamp_request(data: bytes, nonce: int) -> bytes:
    """TimeStampReq over SHA-256 of `data`, DER, asking for the certificate. nonce: positive, at most 64 bits."""
    imprint = sequence(SHA256_DER, octets(hashlib.sha256(data).digest()))
    return sequence(integer(1), imprint, integer(nonce), tlv(0x01, b"\xff"))


def read_response(response: bytes, data: bytes, nonce: int, pins: Sequence[x509.Certificate]) -> Token:
    """The token in an authority's answer, verified.

    Raises:
        TimestampMalformed, TimestampRefused, TimestampForAnother, TimestampUntrusted.
    """
    token = token_of(response)
    found, seen = _read_token(token, _sha256_of(data), pins)
    if found != nonce:
        raise TimestampForAnother("The timestamp carries another nonce than was asked for.")
    return Token(token, seen.at)


def token_of(response: bytes) -> bytes:
    """The token of a granted answer, nothing verified. Raises TimestampMalformed, TimestampRefused."""
    try:
        check_der(response)
        information, *rest = members(contents(response))
        status = tsp.PKIStatusInfo.load(information, strict=True)["status"].native
        if status not in ("granted", "granted_with_mods"):
            raise TimestampRefused(f"The authority refuses: {status}.")
        [token] = rest
    except _BROKEN:
        raise TimestampMalformed("The authority's answer is no timestamp response.") from None
    return token


def check_token(token: bytes, data: bytes, pins: Sequence[x509.Certificate]) -> int:
    """Verifies a token that is in a signature; the time that it says, seconds since 1970.

    Raises:
        TimestampMalformed, TimestampForAnother, TimestampUntrusted.
    """
    return _read_token(token, _sha256_of(data), pins)[1].at


def see_token(token: bytes, digest_of: Callable[[str], bytes], pins: Sequence[x509.Certificate]) -> Seen:
    """Verifies a token wherever it comes from. digest_of: digest of what was stamped under sha256, sha384 or sha512.

    Raises:
        TimestampMalformed, TimestampForAnother, TimestampUntrusted.
    """
    return _read_token(token, digest_of, pins)[1]


def _sha256_of(data: bytes) -> Callable[[str], bytes]:
    """We ask with SHA-256, and nobody answers otherwise."""
    return lambda name: hashlib.sha256(data).digest() if name == "sha256" else b""


_BROKEN = UNREADABLE
#: Of a certificate that is there, and cannot be what it should.
_UNFIT: tuple[type[Exception], ...] = (InvalidSignature, x509.ExtensionNotFound, *UNREADABLE)


def _read_token(
    token: bytes, digest_of: Callable[[str], bytes], pins: Sequence[x509.Certificate]
) -> tuple[int | None, Seen]:
    """The nonce, and what there is to see."""
    try:
        check_der(token)
        signed = asn1_cms.ContentInfo.load(token, strict=True)["content"]
        [signer] = signed["signer_infos"]
        content = signed["encap_content_info"]
        info = content["content"].parsed
        attributes = {one["type"].native: one["values"] for one in signer["signed_attrs"]}
        encoded: bytes = content["content"].contents
        certificates = _loaded([one.chosen.dump() for one in signed["certificates"] or []])
        leaf = _signer_of(attributes, [*certificates, *(one for one in pins if one not in certificates)])
        imprint, at = info["message_imprint"], int(info["gen_time"].native.timestamp())
        nonce: int | None = info["nonce"].native
        name, stamped = imprint["hash_algorithm"]["algorithm"].native, imprint["hashed_message"].native
        kinds = {content["content_type"].native, attributes["content_type"][0].native}
        whole = hashlib.new(signer["digest_algorithm"]["algorithm"].native, encoded).digest()
        if kinds != {"tst_info"} or attributes["message_digest"][0].native != whole:
            raise TimestampMalformed("The timestamp's attributes are not those of its content.")
        _verify(leaf, signer)
    except _BROKEN:
        raise TimestampMalformed("The authority's answer holds no timestamp token.") from None
    except InvalidSignature:
        raise TimestampUntrusted("The timestamp's signature does not verify.") from None
    if name not in _HASHES or stamped != digest_of(name):
        raise TimestampForAnother("The timestamp is over something else.")
    check_authority(leaf, certificates, pins, at)
    return nonce, Seen(at, leaf)


def _loaded(ders: Sequence[bytes]) -> list[x509.Certificate]:
    """Raises ValueError also for what the parser only warns of: a serial number that is not positive, and the like."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", CryptographyDeprecationWarning)
            return [x509.load_der_x509_certificate(der) for der in ders]
    except (CryptographyDeprecationWarning, x509.InvalidVersion):
        raise ValueError("a certificate is malformed") from None


def _signer_of(attributes: Any, certificates: Sequence[x509.Certificate]) -> x509.Certificate:
    """The certificate that the signed attributes name. Raises the errors of a broken token."""
    if "signing_certificate_v2" in attributes:
        [first, *_] = attributes["signing_certificate_v2"][0]["certs"]
        name, wanted = first["hash_algorithm"]["algorithm"].native, first["cert_hash"].native
    else:
        [first, *_] = attributes["signing_certificate"][0]["certs"]
        name, wanted = "sha1", first["cert_hash"].native
    [leaf] = [one for one in certificates if hashlib.new(name, one.public_bytes(Encoding.DER)).digest() == wanted]
    return leaf


def _verify(leaf: x509.Certificate, signer: Any) -> None:
    """Raises InvalidSignature, and KeyError for an algorithm that is not taken."""
    public, signature = leaf.public_key(), signer["signature"].native
    signed = b"\x31" + signer["signed_attrs"].dump()[1:]
    digest = signer["digest_algorithm"]["algorithm"].native
    algorithm = signer["signature_algorithm"]
    used = algorithm.signature_algo
    hash_ = _HASHES[digest if algorithm["algorithm"].native == "rsassa_pkcs1v15" else algorithm.hash_algo]
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
