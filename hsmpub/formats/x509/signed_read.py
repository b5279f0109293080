"""What certificates and lists of revoked ones have in common, to readers: PEM in its one spelling, one signature."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import warnings
from collections.abc import Callable
from typing import Protocol, TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.utils import CryptographyDeprecationWarning

from hsmpub.formats.cms.chain import load_chain
from hsmpub.formats.cms.exact import signed_of
from hsmpub.formats.der_read import read_bare
from hsmpub.formats.format import Claim, OutputForAnother, OutputMalformed
from hsmpub.model.key import KeyRecord

_OIDS = {"p256": "1.2.840.10045.4.3.2", "rsa3072": "1.2.840.113549.1.1.11"}
_MOST_BYTES = 4 << 20


class _Signed(Protocol):
    @property
    def signature(self) -> bytes: ...

    @property
    def signature_algorithm_oid(self) -> x509.ObjectIdentifier: ...


_Found = TypeVar("_Found", bound=_Signed)


#: What the library raises, at any member, of what is malformed inside.
UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.ExtensionNotFound,
              x509.UnsupportedGeneralNameType, x509.InvalidVersion, CryptographyDeprecationWarning)  # fmt: skip


class SignedByAnotherKind(OutputForAnother):
    """The signature names another algorithm than the CA's."""


def read_signed(
    output: bytes, label: str, load: Callable[[bytes], _Found], key: KeyRecord, rule: type[OutputMalformed]
) -> tuple[_Found, Claim]:
    """What is in the PEM, and what it claims to be signed. Raises `rule`, SignedByAnotherKind."""
    der = _der(output, label, rule)
    try:
        with warnings.catch_warnings():  # what the parser only warns of, a serial number below zero, is no certificate
            warnings.simplefilter("error", CryptographyDeprecationWarning)
            found = load(der)
        tbs = getattr(found, "tbs_certificate_bytes", None) or getattr(found, "tbs_certlist_bytes")  # noqa: B009
        oid, signature = found.signature_algorithm_oid.dotted_string, found.signature
    except UNREADABLE:
        raise rule("This is nothing that a CA signs.") from None
    if oid != _OIDS.get(key.kind):
        raise SignedByAnotherKind("It is signed with another algorithm than the CA's.")
    raw = read_bare(signature, key.kind, rule)
    if key.kind == "p256":
        r, s = raw[:32], raw[32:]
        if encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big")) != signature:
            raise rule("The signature is spelled in an unusual way.")
    if signed_of(tbs, signature, key.kind) != der:
        raise rule("There is more in it than what is signed.")
    return found, Claim(hashlib.sha256(tbs).digest(), "sha256", raw)


def issuer_of(key: KeyRecord) -> x509.Certificate:
    """The CA's own certificate. Raises CertificateMissing, CertificateOfAnotherKey."""
    return x509.load_der_x509_certificate(load_chain(key).ders[0])


def _der(output: bytes, label: str, rule: type[OutputMalformed]) -> bytes:
    """Lines of 64 characters, and nothing before or behind."""
    name = label.encode()
    frame = re.compile(rb"-----BEGIN " + name + rb"-----\n([A-Za-z0-9+/=\n]+)-----END " + name + rb"-----\n")
    match = frame.fullmatch(output) if len(output) <= _MOST_BYTES else None
    if match is None:
        raise rule(f"This is not one {label.lower()} in PEM as the service writes it.")
    body = match[1]
    try:
        der = base64.b64decode(body.replace(b"\n", b""), validate=True)
    except binascii.Error:
        raise rule("The PEM is broken base64.") from None
    plain = base64.b64encode(der)
    if b"".join(plain[at : at + 64] + b"\n" for at in range(0, len(plain), 64)) != body:
        raise rule("The PEM is spelled in an unusual way.")
    return der
