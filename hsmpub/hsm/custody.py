"""Taking born keys into the production token, from where they never come out again; and their end there."""

from __future__ import annotations

from collections.abc import Sequence

from hsmpub.hsm.child import Secret, run_once
from hsmpub.hsm.config import BornKey, HsmConfig
from hsmpub.hsm.messages import DestroyKeys, FindKeys, ImportKeys
from hsmpub.hsm.rules import KeyNotDestroyed
from hsmpub.hsm.token import CHORE


def import_keys(hsm: HsmConfig, pin: Secret, born: Sequence[BornKey], wrapping_key: Secret) -> dict[str, str]:
    """Unwraps each key into the token as sensitive, private and not extractable, and proves it.

    For each key: a signature made in the token verifies against `public_pem` (an AES key seals and opens, a
    decryption key opens what is encrypted to `public_pem`), its attributes are read back, and wrapping, reading and
    changing it are refused. If one proof fails, none of the keys of this call stays. PIN and wrapping key are left
    as they are.

    Returns:
        Key name → "pinned to its mechanism", or that the module cannot pin it.

    Raises:
        KeyExists: a key with one of the names is there already; nothing was changed.
        WrappingRefused: another wrapping key, or altered bytes.
        KeyNotProven: a proof failed; the keys of this call were removed again.
    """
    return run_once(CHORE, hsm, ImportKeys(tuple(born)), [pin, wrapping_key]).notes


def find_keys(hsm: HsmConfig, pin: Secret, names: Sequence[str]) -> tuple[str, ...]:
    """Those of the names that the token has any object of.

    Raises:
        TokenGone, PinRefused, HsmFailed.
    """
    return tuple(run_once(CHORE, hsm, FindKeys(tuple(names)), [pin]).notes)


def destroy_keys(hsm: HsmConfig, pin: Secret, names: Sequence[str]) -> None:
    """Destroys every object of these names in the token, for good, and looks afterwards. A missing one is no error.

    Raises:
        KeyNotDestroyed: the token still shows one. TokenGone, PinRefused, HsmFailed.
    """
    left = run_once(CHORE, hsm, DestroyKeys(tuple(names)), [pin]).notes
    if left:
        raise KeyNotDestroyed(f"The token still holds {', '.join(sorted(left))}.")
