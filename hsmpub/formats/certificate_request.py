"""A certificate signing request (PKCS#10) whose signature the HSM makes: for a certificate from a CA, for code signing
or for a CA of our own under it.

cryptography builds it; the key that it is given has no private half, and sends what is to be signed to whoever made it.
Source: RFC 2986; CA/Browser Forum, Baseline Requirements for Code Signing, 7.1.2.3.
"""

from __future__ import annotations

import re
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hsmpub.errors import Broken, Invalid
from hsmpub.formats.hsm_key import SignDigest, hsm_key
from hsmpub.formats.public_key import load_public
from hsmpub.formats.x509.root import authority_extensions, is_authority
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


class OwnRequestNotProven(Broken):
    advice = "Nothing was kept: look at the module, and report this if it happens twice."


def make_request(key: KeyRecord, subject: dict[str, str], sign: SignDigest) -> bytes:
    """A request for a certificate, PEM, checked after it is made: a CA's where the key is for one, or for code signing.

    subject: parts of SUBJECT; the empty ones are left out.

    Raises:
        SubjectMalformed, KeyKindUnfit, OwnRequestNotProven, and what `sign` raises.
    """
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject_name(subject))
    for extension, critical in _extensions(key):
        builder = builder.add_extension(extension, critical)
    request = builder.sign(hsm_key(key, sign), SHA256())
    if not request.is_signature_valid or _spki(request.public_key()) != _spki(load_public(key)):
        raise OwnRequestNotProven("The request does not verify against the key's record.")
    return request.public_bytes(Encoding.PEM)


def check_subject(subject: dict[str, str]) -> None:
    """Raises SubjectMalformed."""
    if not subject.get("common_name"):
        raise SubjectMalformed("The subject has no common name.")
    named = {part: subject[part] for part in SUBJECT if subject.get(part)}
    for part, value in named.items():
        if not (_COUNTRY if part == "country" else _PART).fullmatch(value):
            raise SubjectMalformed(f"The subject's {part} cannot be {value[:80]!r}.")


def subject_name(subject: dict[str, str]) -> x509.Name:
    """Raises SubjectMalformed."""
    check_subject(subject)
    return x509.Name([x509.NameAttribute(oid, subject[part]) for part, oid in SUBJECT.items() if subject.get(part)])


def _extensions(key: KeyRecord) -> tuple[tuple[x509.ExtensionType, bool], ...]:
    if is_authority(key):
        return authority_extensions()
    return (_digital_signature(), True), (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), False)


def _digital_signature() -> x509.KeyUsage:
    others = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign",
              "crl_sign", "encipher_only", "decipher_only")  # fmt: skip
    return x509.KeyUsage(digital_signature=True, **dict.fromkeys(others, False))


def _spki(public: Any) -> bytes:
    encoded: bytes = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return encoded
