"""Reads an Android signing block as we make it, with code that shares nothing with what made it.

Source: Android Open Source Project, "APK signature scheme v2" and "v3".
"""

from __future__ import annotations

import hashlib
import struct
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from hsmpub.formats.format import SIGNATURE_BYTES, Claim, OutputForAnother, OutputMalformed
from hsmpub.model.key import KeyKind


class ApkSignatureMalformed(OutputMalformed):
    pass


class Expected(NamedTuple):
    """digest: of the package; certificate, public: DER."""

    digest: bytes
    certificate: bytes
    public: bytes
    kind: KeyKind


class _Reader:
    """Little-endian, front to back."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        taken = self._data[self._at : self._at + count]
        if len(taken) != count:
            raise ApkSignatureMalformed("The signing block ends too early.")
        self._at += count
        return taken

    def numbers(self, form: str) -> tuple[int, ...]:
        return struct.unpack("<" + form, self.take(struct.calcsize("<" + form)))

    def inner(self, form: str = "I") -> _Reader:
        """What follows its own length."""
        return _Reader(self.take(self.numbers(form)[0]))

    def only(self) -> _Reader:
        """The one element of a sequence, both with their lengths."""
        sequence = self.inner()
        element = sequence.inner()
        sequence.end()
        return element

    def rest(self) -> bytes:
        return self.take(len(self._data) - self._at)

    def end(self) -> None:
        if self._at != len(self._data):
            raise ApkSignatureMalformed("The signing block holds more than the service puts into one.")


def read_block(block: bytes, expected: Expected) -> Claim:
    """Payload and signature: those of scheme 2, then those of scheme 3.

    Raises:
        ApkSignatureMalformed, OutputForAnother.
    """
    reader = _Reader(block)
    (size,) = reader.numbers("Q")
    second, third = reader.inner("Q"), reader.inner("Q")
    if reader.numbers("Q") != (size,) or size + 8 != len(block) or reader.rest() != b"APK Sig Block 42":
        raise ApkSignatureMalformed("The signing block does not end as it begins.")
    if second.numbers("I") != (0x7109871A,) or third.numbers("I") != (0xF05368C0,):
        raise ApkSignatureMalformed("The signing block holds other schemes than 2 and 3.")
    read = (_read_signer(second, expected, with_sdks=False), _read_signer(third, expected, with_sdks=True))
    return Claim(read[0][0] + read[1][0], "sha256", read[0][1] + read[1][1])


def _read_signer(value: _Reader, expected: Expected, *, with_sdks: bool) -> tuple[bytes, bytes]:
    """SHA-256 of what a scheme signs, and the raw signature."""
    signer = value.only()
    value.end()
    signed = signer.inner().rest()
    if with_sdks and signer.numbers("II") != (28, 2**31 - 1):
        raise ApkSignatureMalformed("The signature is for other versions of Android.")
    signature, public = signer.only(), signer.inner().rest()
    signer.end()
    _check_algorithm(signature, expected.kind)
    raw = _raw_of(signature.inner().rest(), expected.kind)
    signature.end()
    _check_signed(_Reader(signed), expected, with_sdks=with_sdks)
    if public != expected.public:
        raise OutputForAnother("The signature names another key.")
    return hashlib.sha256(signed).digest(), raw


def _check_signed(signed: _Reader, expected: Expected, *, with_sdks: bool) -> None:
    digest, certificate = signed.only(), signed.only().rest()
    _check_algorithm(digest, expected.kind)
    found = digest.inner().rest()
    digest.end()
    if with_sdks and signed.numbers("II") != (28, 2**31 - 1):
        raise ApkSignatureMalformed("The signature is for other versions of Android.")
    attributes = signed.inner().rest()
    signed.end()
    # scheme 2 says that scheme 3 is there; scheme 3 has nothing to say
    if attributes != (b"" if with_sdks else struct.pack("<III", 8, 0xBEEFF00D, 3)):
        raise ApkSignatureMalformed("The signature has other attributes than the service gives.")
    if found != expected.digest:
        raise OutputForAnother("The signature is over another package.")
    if certificate != expected.certificate:
        raise OutputForAnother("The signature carries another certificate than the key's.")


def _check_algorithm(reader: _Reader, kind: KeyKind) -> None:
    if reader.numbers("I") != ({"p256": 0x0201, "rsa3072": 0x0103}[kind],):
        raise ApkSignatureMalformed("The signature names another algorithm.")


def _raw_of(signature: bytes, kind: KeyKind) -> bytes:
    if kind != "p256":
        if len(signature) != SIGNATURE_BYTES[kind]:
            raise ApkSignatureMalformed("The signature has another length than the key's.")
        return signature
    try:
        r, s = decode_dss_signature(signature)
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")
    except (ValueError, OverflowError):
        raise ApkSignatureMalformed("The signature is no ECDSA signature on P-256.") from None
