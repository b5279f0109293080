"""Making and destroying tokens."""

from __future__ import annotations

from hsmpub.hsm.config import HsmConfig
from hsmpub.secret.page import SecretPage


def new_pin(length: int = 40) -> bytearray:
    """A random PIN of ASCII letters and digits that nobody has seen, about 5.9 bits a character.

    Args:
        length: characters; 32 or more, unless the module takes only short PINs.
    """
    raise NotImplementedError


def init_token(hsm: HsmConfig, *, so_pin: bytearray | SecretPage, pin: bytearray | SecretPage) -> None:
    """Makes a token with label `hsm.token`. The PINs are left as they are; wipe them when done.

    Raises:
        TokenExists: a token with this label is there already; nothing was changed.
        NoFreeSlot: the module has no uninitialised slot.
    """
    raise NotImplementedError


def destroy_token(hsm: HsmConfig) -> None:
    """Destroys the token and every key in it, for good. SoftHSM only; a missing token is no error."""
    raise NotImplementedError
