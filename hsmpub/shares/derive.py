"""What is derived from a quorum's 32-byte secret. HKDF-SHA256 (RFC 5869), one info text per use and epoch."""

from __future__ import annotations

import hmac
import os
from typing import Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from hsmpub.errors import Broken
from hsmpub.secret.page import wipe
from hsmpub.shares.record import Purpose

#: The PIN, or, in a set that waits for its holders, the one that is in force until then.
PinContent = Literal["PIN", "old PIN"]
SECRET_BYTES = 32
_NONCE = 12
_TAG = 16


class SecretFailsKeyCheck(Broken):
    advice = "The record was altered, or the shares are of another set: compare it with the ceremony's transcript."


class PinBoxAltered(Broken):
    advice = "The record was altered: restore it from the last backup."


def _derive(secret: bytearray, use: bytes, epoch: int) -> bytearray:
    out = bytearray(32)
    info = b"hsmpub %b v1" % use + epoch.to_bytes(8, "big")
    HKDF(SHA256(), 32, salt=None, info=info).derive_into(secret, out)
    return out


def check_value(purpose: Purpose, epoch: int, secret: bytearray) -> str:
    """The key-check value, 64 hex characters; it reveals nothing about the secret."""
    return bytes(_derive(secret, b"%b check" % purpose.encode(), epoch)).hex()


def check_secret(purpose: Purpose, epoch: int, secret: bytearray, expected: str) -> None:
    """Raises SecretFailsKeyCheck: tested before any use, since a wrong secret raises nothing by itself."""
    if not hmac.compare_digest(check_value(purpose, epoch, secret), expected):
        raise SecretFailsKeyCheck("The combined secret is not the one that the ceremony split.")


def seal_pin(secret: bytearray, epoch: int, pin: bytearray, content: PinContent = "PIN") -> bytes:
    """nonce‖ciphertext‖tag of the PIN under the unseal secret; epoch and content are authenticated with it."""
    key = _derive(secret, b"pin box", epoch)
    try:
        nonce = os.urandom(_NONCE)
        return nonce + AESGCM(key).encrypt(nonce, pin, _pin_aad(epoch, content))
    finally:
        wipe(key)


def open_pin(secret: bytearray, epoch: int, box: bytes, content: PinContent = "PIN") -> bytearray:
    """The PIN. Raises PinBoxAltered."""
    key = _derive(secret, b"pin box", epoch)
    pin = bytearray(max(len(box) - _NONCE - _TAG, 0))
    try:
        AESGCM(key).decrypt_into(box[:_NONCE], box[_NONCE:], _pin_aad(epoch, content), pin)
    except (InvalidTag, ValueError):
        raise PinBoxAltered("The box with the PIN does not open with the right secret.") from None
    finally:
        wipe(key)
    return pin


def recovery_key(secret: bytearray, epoch: int) -> tuple[bytearray, bytes]:
    """Raw X25519 key pair of the recovery quorum: private (wipe it), public."""
    private = _derive(secret, b"recovery key", epoch)
    return private, X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def _pin_aad(epoch: int, content: PinContent) -> bytes:
    return (b"hsmpub pin box v1" if content == "PIN" else b"hsmpub old pin box v1") + epoch.to_bytes(8, "big")
