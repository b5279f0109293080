"""A share encrypted to a holder's OpenPGP key, so that `gpg --decrypt` opens it.

One PKESK and one SEIPD version 1 packet: AES-256, with its modification code. gpg before 2.3 reads nothing
newer, and what comes out is checked again by the share's own commitment.
Source: RFC 4880, 5.1, 5.9, 5.13, 5.14, 13.1; RFC 6637, 7 to 10; RFC 3394.
"""

from __future__ import annotations

import hashlib
import os

from cryptography.hazmat.decrepit.ciphers.modes import CFB
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.keywrap import aes_key_wrap
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hsmpub.formats.cursor import Cursor
from hsmpub.formats.format import OutputMalformed
from hsmpub.formats.openpgp.packet import mpi, packet
from hsmpub.secret.page import wipe
from hsmpub.shares.pgp_certificate import CURVE25519, CURVES, RSA, CertificateUnusable, PgpKey, read_number

_PKESK, _SEIPD, _LITERAL = 1, 18, 11
_AES256 = 9
_BLOCK = 16
_KDF_HASHES = {8: "sha256", 9: "sha384", 10: "sha512"}
_KEK_BYTES = {7: 16, 8: 24, 9: 32}


def encrypt_message(key: PgpKey, data: bytes | bytearray) -> bytes:
    """A binary OpenPGP message that the certificate's holder opens.

    Raises:
        CertificateUnusable: parameters of the key that are not supported here.
    """
    session = bytearray(os.urandom(32))
    try:
        head = packet(_PKESK, b"\x03" + key.fingerprint[12:] + key.body[5:6] + _wrapped(key, session))
        return head + packet(_SEIPD, b"\x01" + _sealed(session, data))
    finally:
        wipe(session)


def message_size(key: PgpKey, message: bytes) -> int | None:
    """Bytes of data in a message that is encrypted to this key alone; None if it is no such message."""
    key_packet = _body(message, _PKESK)
    if key_packet is None or key_packet[0][:10] != b"\x03" + key.fingerprint[12:] + key.body[5:6]:
        return None
    sealed = _body(key_packet[1], _SEIPD)
    if sealed is None or sealed[1] or sealed[0][:1] != b"\x01":
        return None
    return len(sealed[0]) - 1 - (_BLOCK + 2) - len(_literal_head(0)) - 22


def _sealed(session: bytearray, data: bytes | bytearray) -> bytes:
    prefix = os.urandom(_BLOCK)
    # binary, no file name, no date
    body = bytearray(prefix + prefix[-2:])
    body += _literal_head(len(data)) + data + b"\xd3\x14"
    body += hashlib.sha1(body, usedforsecurity=False).digest()
    try:
        cipher = Cipher(AES(session), CFB(bytes(_BLOCK))).encryptor()  # the IV is zero; the prefix takes its place
        return cipher.update(body) + cipher.finalize()
    finally:
        wipe(body)


def _literal_head(size: int) -> bytes:
    """A four-byte length, whatever the size: so the length of the message says the length of the data."""
    return bytes((0xC0 | _LITERAL, 0xFF)) + (size + 6).to_bytes(4, "big") + b"b\0" + bytes(4)


def _wrapped(key: PgpKey, session: bytearray) -> bytes:
    """The session key, encrypted, as the last part of a PKESK."""
    plain = bytearray((_AES256,)) + session + (sum(session) & 0xFFFF).to_bytes(2, "big")
    try:
        cursor = Cursor(key.body[5:], OutputMalformed)
        if cursor.number(1) == RSA:
            modulus, exponent = read_number(cursor), read_number(cursor)
            public = rsa.RSAPublicNumbers(exponent, modulus).public_key()
            return mpi(public.encrypt(bytes(plain), padding.PKCS1v15()))
        curve = cursor.sized(1)
        point = read_number(cursor)
        parameters = cursor.sized(1)
        reserved, hash_, cipher = parameters
        if reserved != 1 or hash_ not in _KDF_HASHES or cipher not in _KEK_BYTES:
            raise ValueError
        shared, ephemeral = _agree(curve, point)
        about = bytes((len(curve),)) + curve + b"\x12\x03" + parameters + b"Anonymous Sender    " + key.fingerprint
        kek = hashlib.new(_KDF_HASHES[hash_], b"\0\0\0\1" + shared + about).digest()[: _KEK_BYTES[cipher]]
        wrapped = aes_key_wrap(kek, bytes(plain) + b"\x05" * 5)
        return mpi(ephemeral) + bytes((len(wrapped),)) + wrapped
    except (ValueError, OutputMalformed):
        raise CertificateUnusable("The OpenPGP certificate's encryption subkey cannot be used here.") from None
    finally:
        wipe(plain)


def _agree(curve: bytes, point: int) -> tuple[bytes, bytes]:
    """Shared secret with the holder's point, and the ephemeral point as it is sent. Raises ValueError."""
    if curve == CURVE25519:
        own = X25519PrivateKey.generate()
        shared = own.exchange(X25519PublicKey.from_public_bytes(point.to_bytes(33, "big")[1:]))
        return shared, b"\x40" + own.public_key().public_bytes_raw()
    if curve not in CURVES:
        raise ValueError
    named = CURVES[curve]
    raw = point.to_bytes((point.bit_length() + 7) // 8, "big")
    ephemeral = ec.generate_private_key(named)
    shared = ephemeral.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(named, raw))
    return shared, ephemeral.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _body(data: bytes, tag: int) -> tuple[bytes, bytes] | None:
    """Body of the first packet, if it has this tag, and what follows it."""
    if data[:1] != bytes((0xC0 | tag,)) or len(data) < 3:
        return None
    head, size = (2, data[1]) if data[1] < 192 else (3, (data[1] - 192 << 8) + data[2] + 192)
    if data[1] >= 224 or len(data) < head + size:
        return None
    return data[head : head + size], data[head + size :]
