"""Keys that OpenPGP encrypts to, and a session key sealed to one of them.

Source: RFC 4880, 5.1 and 5.5.2; RFC 6637, 7 and 8 (ECDH); RFC 9580, 9.2 (Curve25519Legacy).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.keywrap import aes_key_wrap
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hsmpub.envelope.header import Bytes
from hsmpub.envelope.openpgp import PKESK
from hsmpub.envelope.recipient import Recipient
from hsmpub.envelope.rules import HeaderMalformed, RecipientRefused
from hsmpub.formats.openpgp.key import framed
from hsmpub.formats.openpgp.packet import mpi, packet

RSA, RSA_ENCRYPT, ECDH = 1, 2, 18
_PREFIX = "openpgp "
_CURVE25519 = bytes.fromhex("2b060104019755010501")
_CURVES: dict[bytes, ec.EllipticCurve] = {
    bytes.fromhex("2a8648ce3d030107"): ec.SECP256R1(),
    bytes.fromhex("2b81040022"): ec.SECP384R1(),
    bytes.fromhex("2b81040023"): ec.SECP521R1(),
}
_HASHES = {8: "sha256", 9: "sha384", 10: "sha512"}
_KEY_BYTES = {7: 16, 8: 24, 9: 32}
#: A wrapped session key is padded to this length, so that it does not show which cipher it is for.
_PADDED = 40


def load_openpgp_recipient(text: str) -> Recipient:
    """A recipient out of `openpgp BASE64`, the body of the packet of the very key that encrypts.

    Raises:
        RecipientRefused.
    """
    try:
        body = binascii.a2b_base64(text.removeprefix(_PREFIX), strict_mode=True)
    except (binascii.Error, ValueError):
        body = b""
    if not text.startswith(_PREFIX) or openpgp_recipient_text(body) != text:
        raise RecipientRefused("This names no OpenPGP key.")
    return recipient_of_key(body)


def openpgp_recipient_text(body: bytes) -> str:
    return _PREFIX + base64.b64encode(body).decode()


def recipient_of_key(body: bytes) -> Recipient:
    """body: of a public key or subkey packet, version 4. Raises RecipientRefused."""
    fingerprint = hashlib.sha1(framed(body), usedforsecurity=False).digest()
    try:
        head = Bytes(body)
        version, _, algorithm = head.number(1), head.number(4), head.number(1)
        if version != 4 or algorithm not in (RSA, RSA_ENCRYPT, ECDH):
            raise RecipientRefused("The OpenPGP key is not of version 4, or neither RSA nor ECDH.")
        seal = _Ecdh(head, fingerprint) if algorithm == ECDH else _Rsa(head, fingerprint, algorithm)
    except (HeaderMalformed, ValueError):
        raise RecipientRefused("The OpenPGP key is damaged.") from None
    return Recipient("openpgp", openpgp_recipient_text(body), fingerprint.hex().upper(), seal)


def _read_mpi(source: Bytes) -> bytes:
    return source.take((source.number(2) + 7) // 8)


def _session_key_packet(fingerprint: bytes, algorithm: int, encrypted: bytes) -> bytes:
    return packet(PKESK, b"\x03" + fingerprint[-8:] + bytes((algorithm,)) + encrypted)


class _Rsa:
    def __init__(self, source: Bytes, fingerprint: bytes, algorithm: int) -> None:
        modulus, exponent = (int.from_bytes(_read_mpi(source), "big") for _ in range(2))
        if source.left or not 2048 <= modulus.bit_length() <= 8192:
            raise RecipientRefused("The OpenPGP key is no RSA key of 2048 to 8192 bits.")
        self._public: RSAPublicKey = RSAPublicNumbers(exponent, modulus).public_key()
        self._fingerprint = fingerprint
        self._algorithm = algorithm

    def __call__(self, session_key: bytearray) -> bytes:
        encrypted = self._public.encrypt(bytes(session_key), PKCS1v15())
        return _session_key_packet(self._fingerprint, self._algorithm, mpi(encrypted))


class _Ecdh:
    def __init__(self, source: Bytes, fingerprint: bytes) -> None:
        self._oid = source.take(source.number(1))
        point = _read_mpi(source)
        parameters = source.take(source.number(1))
        if source.left or len(parameters) != 3 or parameters[0] != 1:
            raise RecipientRefused("The OpenPGP key says in an unknown way how its secret is derived.")
        if parameters[1] not in _HASHES or parameters[2] not in _KEY_BYTES:
            raise RecipientRefused("The OpenPGP key wants an unknown hash or cipher.")
        self._parameters = parameters
        self._fingerprint = fingerprint
        self._public: X25519PublicKey | ec.EllipticCurvePublicKey
        if self._oid == _CURVE25519 and len(point) == 33 and point[0] == 0x40:
            self._public = X25519PublicKey.from_public_bytes(point[1:])
        elif self._oid in _CURVES:
            self._public = ec.EllipticCurvePublicKey.from_encoded_point(_CURVES[self._oid], point)
        else:
            raise RecipientRefused("The OpenPGP key lies on a curve that is not known here.")

    def __call__(self, session_key: bytearray) -> bytes:
        point, shared = self._agree()
        said = bytes((len(self._oid),)) + self._oid + bytes((ECDH, 3)) + self._parameters
        said += b"Anonymous Sender    " + self._fingerprint
        digest = hashlib.new(_HASHES[self._parameters[1]], b"\0\0\0\1" + shared + said).digest()
        padded = bytes(session_key) + bytes((_PADDED - len(session_key),)) * (_PADDED - len(session_key))
        wrapped = aes_key_wrap(digest[: _KEY_BYTES[self._parameters[2]]], padded)
        return _session_key_packet(self._fingerprint, ECDH, mpi(point) + bytes((len(wrapped),)) + wrapped)

    def _agree(self) -> tuple[bytes, bytes]:
        """The ephemeral point, and what both sides know."""
        public = self._public
        private: Any
        try:
            if isinstance(public, X25519PublicKey):
                private = X25519PrivateKey.generate()
                return b"\x40" + private.public_key().public_bytes_raw(), private.exchange(public)
            private = ec.generate_private_key(public.curve)
            point = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
            return point, private.exchange(ec.ECDH(), public)
        except ValueError:  # a point of small order
            raise RecipientRefused("The recipient's key is of no use for encryption.") from None
