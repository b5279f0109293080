"""A certificate signing request (PKCS#10) whose signature the HSM makes: for a code-signing certificate from a CA.

cryptography builds it; the key that it is given has no private half, and sends what is to be signed to whoever made it.
Source: RFC 2986; CA/Browser Forum, Baseline Requirements for Code Signing, 7.1.2.3.
"""

from __future__ import annotations

import re
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hsmpub.errors import Broken, Invalid
from hsmpub.formats.hsm_key import HsmEcKey, HsmRsaKey, SignDigest
from hsmpub.formats.public_key import load_public
from hsmpub.formats.purposes import KeyKindUnfit
from hsmpub.model.key import KeyRecord

#: What a subject may have, and the order in which a CA expects it.
SUBJECT = {
    "country": NameOID.COUNTRY_NAME,
    "state": NameOID.STATE_OR_PROVINCE_NAME,
    "locality": NameOID.LOCALITY_NAME,
    "organization": NameOID.ORGANIZATION_NAME,
    "organizational_unit": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "common_name": NameOID.COMMON_NAME,
    "email": NameOID.EMAIL_ADDRESS,
}
#: Source: RFC 5280, appendix A.1 (upper bounds).
_COUNTRY, _PART = re.compile(r"[A-Z]{2}"), re.compile(r"[^\x00-\x1f\x7f]{1,64}")


class SubjectMalformed(Invalid):
    advice = "Write the subject as the CA wants it: country has two letters, the other parts 1 to 64 characters."


class RequestNotProven(Broken):
    advice = "Nothing was kept: look at the module, and report this if it happens twice."


def make_request(key: KeyRecord, subject: dict[str, str], sign: SignDigest) -> bytes:
    """A request for a code-signing certificate, PEM, checked after it is made.

    subject: parts of SUBJECT; the empty ones are left out.

    Raises:
        SubjectMalformed, KeyKindUnfit, RequestNotProven, and what `sign` raises.
    """
    builder = x509.CertificateSigningRequestBuilder().subject_name(_name(subject))
    builder = builder.add_extension(_digital_signature(), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
    request = builder.sign(_hsm_key(key, sign), SHA256())
    if not request.is_signature_valid or _spki(request.public_key()) != _spki(load_public(key)):
        raise RequestNotProven("The request does not verify against the key's record.")
    return request.public_bytes(Encoding.PEM)


def check_subject(subject: dict[str, str]) -> None:
    """Raises SubjectMalformed."""
    if not subject.get("common_name"):
        raise SubjectMalformed("The subject has no common name.")
    named = {part: subject[part] for part in SUBJECT if subject.get(part)}
    for part, value in named.items():
        if not (_COUNTRY if part == "country" else _PART).fullmatch(value):
            raise SubjectMalformed(f"The subject's {part} cannot be {value[:80]!r}.")


def _name(subject: dict[str, str]) -> x509.Name:
    check_subject(subject)
    return x509.Name([x509.NameAttribute(oid, subject[part]) for part, oid in SUBJECT.items() if subject.get(part)])


def _digital_signature() -> x509.KeyUsage:
    others = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign",
              "crl_sign", "encipher_only", "decipher_only")  # fmt: skip
    return x509.KeyUsage(digital_signature=True, **dict.fromkeys(others, False))


def _spki(public: Any) -> bytes:
    encoded: bytes = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return encoded


def _hsm_key(key: KeyRecord, sign: SignDigest) -> HsmEcKey | HsmRsaKey:
    public = load_public(key)
    if isinstance(public, ec.EllipticCurvePublicKey):
        return HsmEcKey(public, sign)
    if isinstance(public, rsa.RSAPublicKey):
        return HsmRsaKey(public, sign)
    raise KeyKindUnfit(f"No CA certifies a {key.kind} key for code signing; {key.name!r} is one.")
