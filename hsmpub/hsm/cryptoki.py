"""The few PKCS#11 calls that python-pkcs11 lacks, or makes with copies of a secret, by ctypes.

It shares the loaded module with python-pkcs11 in the same process: same sessions, same login, same handles.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hsmpub.hsm import functions as f
from hsmpub.hsm.functions import Mechanism as Mechanism
from hsmpub.hsm.functions import MechanismInfo, TokenInfo
from hsmpub.hsm.functions import Ulong as Ulong
from hsmpub.hsm.returned import OK, check, check_pin_length
from hsmpub.hsm.rules import (
    NoFreeSlot,
    PinLengthUnfit,
    PinLocked,
    PinNotChanged,
    PinRefused,
    TokenExists,
    TokenGone,
)
from hsmpub.secret.page import SecretPage

DECRYPT_INIT, DECRYPT = f.DECRYPT_INIT, f.DECRYPT

_ALREADY_INITIALIZED = 0x191
_RW, _SERIAL = 0x2, 0x4
_TOKEN_INITIALIZED, _USER_PIN_TO_BE_CHANGED = 0x400, 0x80000
_SO, _USER = 0, 1


class Cryptoki:
    """A PKCS#11 module, loaded into this process.

    Args:
        path: of the shared library.
        library: what `pkcs11.lib(path)` gave, where sessions are to be shared with it.

    Raises:
        HsmFailed: the library cannot be loaded or is no PKCS#11 module.
    """

    def __init__(self, path: str, library: object = None) -> None:
        self._list = f.load_functions(path, library)

    def initialize(self) -> None:
        """C_Initialize; harmless when python-pkcs11 has done it."""
        status = self.call(f.INITIALIZE, None)
        if status != _ALREADY_INITIALIZED:
            check(status, "C_Initialize")

    def finalize(self) -> None:
        """C_Finalize: every session and handle of this process is void afterwards."""
        self.call(f.FINALIZE, None)

    def info(self) -> f.Info:
        info = f.Info()
        check(self.call(f.GET_INFO, ctypes.byref(info)), "C_GetInfo")
        return info

    def slots(self) -> list[int]:
        """Slots that have a token in them, initialised or not."""
        count = Ulong(0)
        check(self.call(f.GET_SLOT_LIST, 1, None, ctypes.byref(count)), "C_GetSlotList")
        slots = (Ulong * count.value)()
        check(self.call(f.GET_SLOT_LIST, 1, slots, ctypes.byref(count)), "C_GetSlotList")
        return [int(slot) for slot in slots[: count.value]]

    def token_info(self, slot: int) -> TokenInfo:
        info = TokenInfo()
        check(self.call(f.GET_TOKEN_INFO, slot, ctypes.byref(info)), "C_GetTokenInfo")
        return info

    def mechanism_info(self, slot: int, mechanism: int) -> MechanismInfo | None:
        """What the token says of a mechanism, or None where it does not have it."""
        info = MechanismInfo()
        return info if self.call(f.GET_MECHANISM_INFO, slot, mechanism, ctypes.byref(info)) == OK else None

    def find_token(self, label: str) -> int | None:
        """The slot of the initialised token with this label, or None."""
        for slot in self.slots():
            info = self.token_info(slot)
            if info.flags & _TOKEN_INITIALIZED and bytes(info.label).rstrip(b" ") == label.encode():
                return slot
        return None

    def free_slot(self) -> int | None:
        """The first slot whose token was never initialised, or None."""
        free = (slot for slot in self.slots() if not self.token_info(slot).flags & _TOKEN_INITIALIZED)
        return next(free, None)

    def init_token(self, label: str, so_pin: SecretPage, first: SecretPage | None = None) -> int:
        """C_InitToken in the first slot whose token was never initialised.

        Args:
            first: the SO PIN that its maker gave the token, which C_InitToken of some modules wants; it is replaced.

        Returns:
            The slot: some modules call the token initialised only after it has a user PIN.

        Raises:
            TokenExists: the label is taken.
            NoFreeSlot: every token is initialised.
            PinLengthUnfit: the token takes no SO PIN of this length; nothing was changed.
        """
        if self.find_token(label) is not None:
            raise TokenExists(f"The module already has a token named {label!r}.")
        slot = self.free_slot()
        if slot is None:
            raise NoFreeSlot("The module has no uninitialised token.")
        check_pin_length(self.token_info(slot), len(so_pin))
        padded = ctypes.create_string_buffer(label.encode().ljust(32), 32)
        pin = so_pin if first is None else first
        check(self.call(f.INIT_TOKEN, slot, pin.address, len(pin), padded), "C_InitToken")
        if first is not None:
            self._replace(slot, _SO, first, so_pin)
        found = self.find_token(label)  # SoftHSM moves a new token to another slot
        return slot if found is None else found

    def init_pin(self, label: str, so_pin: SecretPage, pin: SecretPage, *, slot: int | None = None) -> None:
        """Sets the user PIN as security officer. Also resets a PIN that exists.

        Args:
            slot: of the token; None: found by its label.
        """
        slot = self._slot_of(label) if slot is None else slot
        with self._logged_in(slot, _SO, so_pin) as session:
            check(self.call(f.INIT_PIN, session, pin.address, len(pin)), "C_InitPIN")
        if self.token_info(slot).flags & _USER_PIN_TO_BE_CHANGED:
            self._replace(slot, _USER, pin, pin)  # what the officer set opens nothing until its user sets it

    def set_pin(self, label: str, old: SecretPage, new: SecretPage, *, so: bool = False) -> bool:
        """Changes the user's PIN, or the security officer's. Returns: False if the new one was in force already.

        Raises:
            PinRefused: the token takes neither. PinNotChanged: it refuses the change, or takes no PIN of that length.
        """
        slot = self._slot_of(label)
        try:
            check_pin_length(self.token_info(slot), len(new))
        except PinLengthUnfit as error:
            raise PinNotChanged(error.detail) from error
        session = self.open_session(slot, rw=True)
        user = _SO if so else _USER
        try:
            try:
                self._login(session, user, old)
            except PinLocked:
                raise
            except PinRefused:
                self._login(session, user, new)
                return False
            status = self.call(f.SET_PIN, session, old.address, len(old), new.address, len(new))
            if status != OK:
                raise PinNotChanged(f"The token did not take a new PIN (C_SetPIN gave {status:#x}).")
            return True
        finally:
            self.call(f.CLOSE_SESSION, session)

    def login_session(self, session: int, pin: SecretPage) -> None:
        """Logs this process in as user, through a session that is open. The PIN is read in place: no copy is made here.

        Raises:
            PinRefused: the token refused the PIN. PinLocked: it refuses every PIN.
        """
        self._login(session, _USER, pin)

    def open_session(self, slot: int, *, rw: bool) -> int:
        handle = Ulong(0)
        flags = _SERIAL | (_RW if rw else 0)
        check(self.call(f.OPEN_SESSION, slot, flags, None, None, ctypes.byref(handle)), "C_OpenSession")
        return handle.value

    def _replace(self, slot: int, user: int, old: SecretPage, new: SecretPage) -> None:
        with self._logged_in(slot, user, old) as session:
            status = self.call(f.SET_PIN, session, old.address, len(old), new.address, len(new))
            check(status, "C_SetPIN")

    @contextmanager
    def _logged_in(self, slot: int, user: int, pin: SecretPage) -> Iterator[int]:
        session = self.open_session(slot, rw=True)
        try:
            self._login(session, user, pin)
            yield session
        finally:
            self.call(f.CLOSE_SESSION, session)  # the last session of the process: logs out too

    def _login(self, session: int, user: int, pin: SecretPage) -> None:
        check(self.call(f.LOGIN, session, user, pin.address, len(pin)), "C_Login")

    def _slot_of(self, label: str) -> int:
        slot = self.find_token(label)
        if slot is None:
            raise TokenGone(f"The module shows no token named {label!r}.")
        return slot

    def call(self, place: int, *arguments: object) -> int:
        """Calls the function at this place of CK_FUNCTION_LIST and returns its CK_RV unchecked."""
        return int(self.function(place)(*arguments))

    def function(self, place: int) -> Callable[..., int]:
        """The function at this place, for whoever calls it often."""
        prototype = ctypes.CFUNCTYPE(Ulong, *f.ARGUMENTS[place])
        return prototype(self._list.functions[place])
