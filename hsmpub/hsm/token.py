"""Making and destroying tokens."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from hsmpub.hsm.child import Secret, run_once
from hsmpub.hsm.config import HsmConfig
from hsmpub.hsm.messages import InitToken, LocateToken, ResetPin, SetPin
from hsmpub.hsm.pin import new_pin
from hsmpub.hsm.rules import HsmFailed
from hsmpub.hsm.softhsm import token_directory

__all__ = ["change_pin", "destroy_token", "init_token", "new_pin", "reset_pin"]

CHORE = "hsmpub.hsm.chore"


def init_token(hsm: HsmConfig, *, so_pin: Secret, pin: Secret, first_so_pin: Secret | None = None) -> None:
    """Makes a token with label `hsm.token`. The PINs are left as they are; wipe them when done.

    Args:
        first_so_pin: the SO PIN that a token has from its maker, and that is replaced; None: it has none.

    Raises:
        TokenExists: a token with this label is there already; nothing was changed.
        NoFreeSlot: the module has no uninitialised token.
        PinLengthUnfit: the token takes no PIN of this length; nothing was changed.
        PinRefused: the token wants the SO PIN of its maker, or another one.
    """
    run_once(CHORE, hsm, InitToken(), [so_pin, pin] if first_so_pin is None else [so_pin, pin, first_so_pin])


def change_pin(hsm: HsmConfig, *, old: Secret, new: Secret, so: bool = False) -> bool:
    """Changes the user's PIN, or with `so` the security officer's. Both are left as they are; wipe them when done.

    Doing it again after it was interrupted is safe; the token counts at most one refused login for it. Sessions that
    are open keep their login; the next login needs the new PIN.

    Returns: False if the new one was in force already.

    Raises:
        PinNotChanged: the token keeps the old one. PinRefused: it takes neither. PinLocked: it takes none any more.
    """
    return run_once(CHORE, hsm, SetPin(so), [old, new]).data == b"changed"


def reset_pin(hsm: HsmConfig, *, so_pin: Secret, pin: Secret) -> None:
    """Sets a new user PIN as security officer; the keys stay. Also where the token has locked
    the old one. Both are left as they are; wipe them when done.

    Raises:
        TokenGone: no token with this label. PinRefused: another SO PIN. PinLocked: it is locked as well.
    """
    run_once(CHORE, hsm, ResetPin(), [so_pin, pin])


def destroy_token(hsm: HsmConfig) -> None:
    """Destroys the token and every key in it, for good. A missing token is no error.

    Raises:
        HsmFailed: the module is not SoftHSM; its own tool must do it.
    """
    if not hsm.softhsm_conf:
        raise HsmFailed("Only tokens of SoftHSM are destroyed here.", next_step="Use the tool of the HSM's maker.")
    tokens = token_directory(hsm.softhsm_conf)
    if not tokens.is_dir():
        return
    serial = run_once(CHORE, hsm, LocateToken(), []).data.decode()
    for directory in tokens.iterdir() if serial else ():
        # SoftHSM takes the serial number from the UUID that names the directory (SlotManager, ObjectStore)
        if (directory.name[19:23] + directory.name[24:]) == serial:
            erase_directory(directory)


def erase_directory(directory: Path) -> None:
    """Overwrites every file beneath with zeros and removes the directory."""
    for path in directory.rglob("*"):
        with contextlib.suppress(IsADirectoryError, FileNotFoundError), path.open("r+b") as file:
            file.write(bytes(os.fstat(file.fileno()).st_size))
            file.flush()
            os.fsync(file.fileno())
    shutil.rmtree(directory, ignore_errors=True)
