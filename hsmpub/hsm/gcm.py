"""AES-GCM in the HSM: sealing with python-pkcs11, opening by ctypes into memory that can be wiped."""

from __future__ import annotations

import ctypes
import os

import pkcs11

from hsmpub.hsm.cryptoki import DECRYPT, DECRYPT_INIT, Cryptoki, Mechanism, Ulong
from hsmpub.hsm.objects import TokenKey
from hsmpub.hsm.returned import check
from hsmpub.hsm.rules import SealedSecretRefused

_CKM_AES_GCM = 0x1087
_IV_BYTES, _TAG_BYTES = 12, 16
#: How much longer a sealed secret is than the secret, in bytes.
OVERHEAD = _IV_BYTES + _TAG_BYTES


class _GcmParameters(ctypes.Structure):
    """CK_GCM_PARAMS of PKCS#11 2.40, section 2.12.4."""

    _fields_ = (
        ("iv", ctypes.c_char_p), ("iv_length", Ulong), ("iv_bits", Ulong),
        ("aad", ctypes.c_char_p), ("aad_length", Ulong), ("tag_bits", Ulong),
    )  # fmt: skip


def seal(key: TokenKey, secret: bytes | bytearray, aad: bytes) -> bytes:
    """Encrypts under a random IV.

    Returns:
        `iv (12) || ciphertext || tag (16)`.
    """
    iv = os.urandom(_IV_BYTES)
    parameters = pkcs11.GCMParams(iv, aad, _TAG_BYTES * 8)
    sealed: bytes = key.encrypt(bytes(secret), mechanism=pkcs11.Mechanism.AES_GCM, mechanism_param=parameters)
    return iv + sealed


def unseal(cryptoki: Cryptoki, session: int, key: int, sealed: bytes, aad: bytes) -> bytearray:
    """Decrypts in the HSM straight into the buffer that is returned; the caller wipes it.

    The buffer is as long as ciphertext and tag: the secret is its first `len(sealed) - OVERHEAD` bytes, and
    cutting it shorter would move it.

    Args:
        session, key: handles of a logged-in session and of the AES key.
        sealed: as `seal` returned it.

    Raises:
        SealedSecretRefused: altered, sealed with other `aad`, or under another key.
    """
    if len(sealed) < OVERHEAD:
        raise SealedSecretRefused("The sealed secret is too short to be one.")
    iv, body = sealed[:_IV_BYTES], sealed[_IV_BYTES:]
    parameters = _GcmParameters(iv, _IV_BYTES, _IV_BYTES * 8, aad, len(aad), _TAG_BYTES * 8)
    mechanism = Mechanism(_CKM_AES_GCM, ctypes.addressof(parameters), ctypes.sizeof(parameters))
    check(cryptoki.call(DECRYPT_INIT, session, ctypes.byref(mechanism), key), "C_DecryptInit")
    out = bytearray(len(body))  # never resized: a resize would leave a copy behind
    length = Ulong(len(out))
    place = ctypes.addressof(ctypes.c_char.from_buffer(out))
    status = cryptoki.call(DECRYPT, session, ctypes.c_char_p(body), len(body), place, ctypes.byref(length))
    if status != 0:
        raise SealedSecretRefused(f"The sealed secret does not open (C_Decrypt gave {status:#x}).")
    if length.value != len(body) - _TAG_BYTES:
        raise SealedSecretRefused("The sealed secret opened to an unexpected length.")
    return out
