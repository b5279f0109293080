"""A private key of a logged-in session, and its signature by two straight calls into the module.

python-pkcs11 makes an operation, a lock and a buffer of 8 KiB for every signature: an eighth of what a P-256 signature
costs with SoftHSM. So C_SignInit and C_Sign are called by ctypes, with what does not change made once. Whatever they do
not do at once is asked again through python-pkcs11, which tells the module's errors apart; so they are told apart once.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable

from pkcs11 import Mechanism

from hsmpub.hsm import functions as f
from hsmpub.hsm.cryptoki import Cryptoki
from hsmpub.hsm.objects import Session, TokenKey


class HeldKey:
    """For one thread: a session does one operation at a time.

    Args:
        cryptoki: the module whose session it is.
        key: the private key that python-pkcs11 found.
    """

    def __init__(self, cryptoki: Cryptoki, session: Session, key: TokenKey) -> None:
        self._cryptoki = cryptoki
        self._session: int = session.handle
        self._key = key

    @property
    def signs(self) -> bool:
        """Whether the token has the key for signing: python-pkcs11 gives the method to keys with CKA_SIGN."""
        return hasattr(self._key, "sign")

    def signer(self, mechanism: Mechanism, size: int) -> Callable[[bytes], bytes]:
        """A function that signs one message by a mechanism without parameters.

        Args:
            size: of a signature, in bytes.

        The function raises pkcs11.PKCS11Error.
        """
        init, sign = self._cryptoki.function(f.SIGN_INIT), self._cryptoki.function(f.SIGN)
        session, key, again = self._session, self._key.handle, self._key.sign
        parameters, length = f.Mechanism(mechanism.value, None, 0), f.Ulong(size)
        out = ctypes.create_string_buffer(size)
        how, place, room = ctypes.byref(parameters), ctypes.byref(out), ctypes.byref(length)

        def sign_one(message: bytes) -> bytes:
            if (
                init(session, how, key) == 0
                and sign(session, message, len(message), place, room) == 0
                and length.value == size
            ):
                return out.raw
            length.value = size  # for the next: the module may have put another there
            signature: bytes = again(message, mechanism=mechanism)
            return signature

        return sign_one
