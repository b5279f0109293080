"""Taking born keys into the production token, from where they never come out again."""

from __future__ import annotations

from collections.abc import Sequence

from hsmpub.hsm.config import BornKey, HsmConfig
from hsmpub.secret.page import SecretPage


def import_keys(
    hsm: HsmConfig,
    pin: bytearray | SecretPage,
    born: Sequence[BornKey],
    wrapping_key: bytearray | SecretPage,
) -> None:
    """Unwraps each key into the token as sensitive, private and not extractable, and proves it.

    For each key: a signature made in the token verifies against `public_pem` (an AES key seals and opens),
    its attributes are read back, and wrapping it is refused. If one proof fails, none of the keys stays.

    Raises:
        KeyExists: a key with one of the names is there already; nothing was changed.
        KeyNotProven: a proof failed; the keys of this call were removed again.
    """
    raise NotImplementedError
