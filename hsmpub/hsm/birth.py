"""Keys are born extractable in a throw-away token, wrapped, and the token is destroyed."""

from __future__ import annotations

from collections.abc import Sequence

from hsmpub.hsm.config import BornKey, KeySpec
from hsmpub.secret.page import SecretPage


def bear_keys(module: str, specs: Sequence[KeySpec], wrapping_key: bytearray | SecretPage) -> list[BornKey]:
    """Generates keys and wraps each; afterwards a wrapping is all that is left of them.

    Args:
        module: path of the SoftHSM module; keys may be born in SoftHSM for any production token.
        wrapping_key: 32 bytes, AES-256; left as it is.

    Returns:
        One BornKey for each spec, in order.
    """
    raise NotImplementedError
