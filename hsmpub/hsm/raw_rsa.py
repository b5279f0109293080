"""RSA decryption in the HSM without its padding (CKM_RSA_X_509), into memory that can be wiped.

The padding is taken off by `hsmpub.envelope.padding`: SoftHSM 2.6.1 knows OAEP with SHA-1 only, and the files come
with SHA-256 or with PKCS#1 v1.5. So one mechanism serves all, and the key is pinned to it.
"""

from __future__ import annotations

import ctypes
import hmac
import os

from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from hsmpub.envelope.padding import is_oaep
from hsmpub.hsm.cryptoki import DECRYPT, DECRYPT_INIT, Cryptoki, Mechanism, Ulong
from hsmpub.hsm.returned import check
from hsmpub.hsm.rules import HsmFailed
from hsmpub.secret.page import wipe

_CKM_RSA_X_509 = 0x3
BLOCK_BYTES = 384
_LABEL = b"hsmpub self-test"


def decrypt_block(cryptoki: Cryptoki, session: int, key: int, block: bytes) -> bytearray:
    """The padded content of one RSA-3072 block; the caller wipes it.

    Args:
        session, key: handles of a logged-in session and of the private key.
        block: exactly 384 bytes.

    Raises:
        HsmFailed, TokenGone: the HSM does not decrypt; nothing about the content is said.
    """
    mechanism = Mechanism(_CKM_RSA_X_509, None, 0)
    check(cryptoki.call(DECRYPT_INIT, session, ctypes.byref(mechanism), key), "C_DecryptInit")
    out = bytearray(BLOCK_BYTES)
    length = Ulong(len(out))
    place = ctypes.addressof(ctypes.c_char.from_buffer(out))
    status = cryptoki.call(DECRYPT, session, ctypes.c_char_p(block), len(block), place, ctypes.byref(length))
    check(status, "C_Decrypt")
    if length.value != BLOCK_BYTES:
        raise HsmFailed("The HSM gave a decrypted block of another length than its key's.")
    return out


def opens_own(cryptoki: Cryptoki, session: int, key: int, public_pem: str) -> bool:
    """Whether the private key opens what is encrypted to this public key: a real round trip with something random."""
    public = load_pem_public_key(public_pem.encode())
    if not isinstance(public, RSAPublicKey) or public.key_size != 8 * BLOCK_BYTES:
        return False
    probe = os.urandom(32)
    block = decrypt_block(cryptoki, session, key, public.encrypt(probe, OAEP(MGF1(SHA256()), SHA256(), _LABEL)))
    try:
        whole, content = is_oaep(block, len(probe), _LABEL)
        return bool(whole & hmac.compare_digest(content, probe))
    finally:
        wipe(block)
