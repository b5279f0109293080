"""A certificate signing request (PKCS#10): nothing of it is believed but its public key, which it proves to hold, and
its names, which the profile then judges. Its extensions, but for the names in it, are passed over.

Source: RFC 2986; RFC 5280, 4.2.1.6.
"""

from __future__ import annotations

import re

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from hsmpub.errors import Invalid
from hsmpub.formats.detail import DetailMalformed

MOST_BYTES = 8192
MOST_NAMES = 64
_PEM = re.compile(
    rb"-----BEGIN (NEW )?CERTIFICATE REQUEST-----\r?\n[A-Za-z0-9+/=\r\n]+-----END (NEW )?CERTIFICATE REQUEST-----\s*"
)
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
#: Host names alone: no wildcard, no trailing dot, no label in capitals.
_DNS = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})*")


class RequestMalformed(DetailMalformed):
    advice = "Make the request with 'openssl req -new' and send it in PEM, as a file of its own."


class RequestNotProven(Invalid):
    advice = "Sign the request with the very key that is to be certified."


class NamesMalformed(Invalid):
    advice = "Ask for one common name, and for host names in small letters; nothing else can be certified."


class Asked(msgspec.Struct, frozen=True):
    """What a request asks for. key: kind and size, such as `rsa3072`; empty: of no kind that is certified.

    common_name: empty: none; hosts: names of the subject's alternative names, in their order.
    """

    spki: bytes
    key: str
    common_name: str
    hosts: tuple[str, ...]


def read_request(data: bytes) -> Asked:
    """A request whose signature was checked.

    Raises:
        RequestMalformed, RequestNotProven, NamesMalformed.
    """
    if len(data) > MOST_BYTES or not _PEM.fullmatch(data):
        raise RequestMalformed(f"This is not one certificate request in PEM, of up to {MOST_BYTES:,} bytes.")
    try:
        request = x509.load_pem_x509_csr(data)
        extensions, subject, public = request.extensions, request.subject, request.public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.UnsupportedGeneralNameType, x509.DuplicateExtension,
            x509.InvalidVersion):  # fmt: skip
        raise RequestMalformed("The request cannot be read.") from None
    kind = _kind(public)
    _check_proven(request, kind)
    spki = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return Asked(spki, kind, _common_name(subject), _hosts(extensions))


def _kind(public: object) -> str:
    if isinstance(public, ec.EllipticCurvePublicKey):
        return {"secp256r1": "p256", "secp384r1": "p384"}.get(public.curve.name, "")
    if isinstance(public, rsa.RSAPublicKey):
        usual = public.public_numbers().e == 65537 and public.key_size in (2048, 3072, 4096)
        return f"rsa{public.key_size}" if usual else ""
    return "ed25519" if isinstance(public, ed25519.Ed25519PublicKey) else ""


def _check_proven(request: x509.CertificateSigningRequest, kind: str) -> None:
    """A key of no known kind is not used at all: one of many thousand bits would take its time."""
    try:
        proven = not kind or request.is_signature_valid
    except (ValueError, UnsupportedAlgorithm):
        proven = False
    if not proven:
        raise RequestNotProven("The request is not signed by the key in it.")


def _common_name(subject: x509.Name) -> str:
    found = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if not found:
        return ""
    value = found[0].value
    if len(found) > 1 or not isinstance(value, str) or not 0 < len(value) <= 64 or not value.isprintable():
        raise NamesMalformed("The subject has several common names, or one with characters that cannot be seen.")
    return value


def _hosts(extensions: x509.Extensions) -> tuple[str, ...]:
    try:
        names = list(extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        return ()
    hosts = tuple(name.value for name in names if isinstance(name, x509.DNSName))
    if len(hosts) != len(names) or not 0 < len(hosts) <= MOST_NAMES or len(set(hosts)) < len(hosts):
        raise NamesMalformed("The request names something else than hosts, too many of them, or one twice.")
    if not all(map(is_host, hosts)):
        raise NamesMalformed("One of the names is no host name in small letters.")
    return hosts


def is_host(name: str) -> bool:
    return _DNS.fullmatch(name) is not None
