"""The few PKCS#11 calls that python-pkcs11 lacks, or makes with copies of a secret, by ctypes.

It shares the loaded module with python-pkcs11 in the same process: same sessions, same login, same handles.
Source: PKCS#11 2.40 and its pkcs11t.h; places in CK_FUNCTION_LIST are the same in 3.0.
"""

from __future__ import annotations

import ctypes

from hsmpub.hsm.rules import HsmFailed, NoFreeSlot, PinNotChanged, PinRefused, TokenExists, TokenGone
from hsmpub.secret.page import SecretPage

_INITIALIZE, _FINALIZE, _GET_SLOT_LIST, _GET_TOKEN_INFO, _INIT_TOKEN, _INIT_PIN, _SET_PIN = 0, 1, 4, 6, 9, 10, 11
_OPEN_SESSION, _CLOSE_SESSION, _LOGIN, DECRYPT_INIT, DECRYPT = 12, 13, 18, 33, 34
_FUNCTIONS = 68

_OK = 0
#: PIN incorrect, invalid, of a wrong length, expired, locked; user PIN not initialised.
_PIN_TROUBLE = {0xA0, 0xA1, 0xA2, 0xA3, 0xA4, 0x102}
_ALREADY_INITIALIZED = 0x191
_TOKEN_TROUBLE = {0xE0, 0xE1, 0x32}  # token not present, not recognised; device removed
_RW, _SERIAL = 0x2, 0x4
_TOKEN_INITIALIZED = 0x400
_SO, _USER = 0, 1

Ulong = ctypes.c_ulong


class _FunctionList(ctypes.Structure):
    _fields_ = (("version", ctypes.c_ubyte * 2), ("functions", ctypes.c_void_p * _FUNCTIONS))


class TokenInfo(ctypes.Structure):
    """CK_TOKEN_INFO; texts are padded with spaces."""

    _fields_ = (
        ("label", ctypes.c_char * 32),
        ("manufacturer", ctypes.c_char * 32),
        ("model", ctypes.c_char * 16),
        ("serial", ctypes.c_char * 16),
        ("flags", Ulong),
        ("numbers", Ulong * 10),
        ("versions", ctypes.c_ubyte * 4),
        ("time", ctypes.c_char * 16),
    )


class Mechanism(ctypes.Structure):
    """CK_MECHANISM."""

    _fields_ = (("mechanism", Ulong), ("parameter", ctypes.c_void_p), ("length", Ulong))


class Cryptoki:
    """A PKCS#11 module, loaded into this process.

    Args:
        path: of the shared library.

    Raises:
        HsmFailed: the library cannot be loaded or is no PKCS#11 module.
    """

    def __init__(self, path: str) -> None:
        pointer = ctypes.POINTER(_FunctionList)()
        try:
            status = ctypes.CDLL(path).C_GetFunctionList(ctypes.byref(pointer))
        except (OSError, AttributeError) as error:
            raise HsmFailed("The PKCS#11 module cannot be loaded.", next_step="Check the module's path.") from error
        check(status, "C_GetFunctionList")
        self._list = pointer.contents

    def initialize(self) -> None:
        """C_Initialize; harmless when python-pkcs11 has done it."""
        status = self.call(_INITIALIZE, None)
        if status != _ALREADY_INITIALIZED:
            check(status, "C_Initialize")

    def finalize(self) -> None:
        """C_Finalize: every session and handle of this process is void afterwards."""
        self.call(_FINALIZE, None)

    def slots(self) -> list[int]:
        """Slots that have a token in them, initialised or not."""
        count = Ulong(0)
        check(self.call(_GET_SLOT_LIST, 1, None, ctypes.byref(count)), "C_GetSlotList")
        slots = (Ulong * count.value)()
        check(self.call(_GET_SLOT_LIST, 1, slots, ctypes.byref(count)), "C_GetSlotList")
        return [int(slot) for slot in slots[: count.value]]

    def token_info(self, slot: int) -> TokenInfo:
        info = TokenInfo()
        check(self.call(_GET_TOKEN_INFO, slot, ctypes.byref(info)), "C_GetTokenInfo")
        return info

    def find_token(self, label: str) -> int | None:
        """The slot of the initialised token with this label, or None."""
        for slot in self.slots():
            info = self.token_info(slot)
            if info.flags & _TOKEN_INITIALIZED and bytes(info.label).rstrip(b" ") == label.encode():
                return slot
        return None

    def init_token(self, label: str, so_pin: SecretPage) -> None:
        """C_InitToken in the first slot whose token was never initialised.

        Raises:
            TokenExists: the label is taken.
            NoFreeSlot: every token is initialised.
        """
        if self.find_token(label) is not None:
            raise TokenExists(f"The module already has a token named {label!r}.")
        for slot in self.slots():
            if not self.token_info(slot).flags & _TOKEN_INITIALIZED:
                padded = ctypes.create_string_buffer(label.encode().ljust(32), 32)
                check(self.call(_INIT_TOKEN, slot, so_pin.address, len(so_pin), padded), "C_InitToken")
                return
        raise NoFreeSlot("The module has no uninitialised token.")

    def init_pin(self, label: str, so_pin: SecretPage, pin: SecretPage) -> None:
        """Sets the user PIN as security officer. Also resets a PIN that exists."""
        session = self.open_session(self._slot_of(label), rw=True)
        try:
            self._login(session, _SO, so_pin)
            check(self.call(_INIT_PIN, session, pin.address, len(pin)), "C_InitPIN")
        finally:
            self.call(_CLOSE_SESSION, session)  # the last session of the process: logs out too

    def set_pin(self, label: str, old: SecretPage, new: SecretPage, *, so: bool = False) -> bool:
        """Changes the user's PIN, or the security officer's. Returns: False if the new one was in force already.

        Raises:
            PinRefused: the token takes neither. PinNotChanged: it takes the old one, and refuses the change.
        """
        session = self.open_session(self._slot_of(label), rw=True)
        user = _SO if so else _USER
        try:
            try:
                self._login(session, user, old)
            except PinRefused:
                self._login(session, user, new)
                return False
            status = self.call(_SET_PIN, session, old.address, len(old), new.address, len(new))
            if status != _OK:
                raise PinNotChanged(f"The token did not take a new PIN (C_SetPIN gave {status:#x}).")
            return True
        finally:
            self.call(_CLOSE_SESSION, session)

    def login(self, label: str, pin: SecretPage) -> int:
        """Opens the anchor session and logs this process in; closing the anchor logs it out.

        Returns:
            The anchor's session handle. The PIN is read in place: no copy of it is made here.

        Raises:
            TokenGone: no token with this label.
            PinRefused: the token refused the PIN.
        """
        session = self.open_session(self._slot_of(label), rw=False)
        try:
            self._login(session, _USER, pin)
        except BaseException:
            self.call(_CLOSE_SESSION, session)
            raise
        return session

    def open_session(self, slot: int, *, rw: bool) -> int:
        handle = Ulong(0)
        flags = _SERIAL | (_RW if rw else 0)
        check(self.call(_OPEN_SESSION, slot, flags, None, None, ctypes.byref(handle)), "C_OpenSession")
        return handle.value

    def _login(self, session: int, user: int, pin: SecretPage) -> None:
        check(self.call(_LOGIN, session, user, pin.address, len(pin)), "C_Login")

    def _slot_of(self, label: str) -> int:
        slot = self.find_token(label)
        if slot is None:
            raise TokenGone(f"The module shows no token named {label!r}.")
        return slot

    def call(self, place: int, *arguments: object) -> int:
        """Calls the function at this place of CK_FUNCTION_LIST and returns its CK_RV unchecked."""
        prototype = ctypes.CFUNCTYPE(Ulong, *_ARGUMENTS[place])
        return int(prototype(self._list.functions[place])(*arguments))


_P = ctypes.c_void_p
_ARGUMENTS: dict[int, tuple[type, ...]] = {
    _INITIALIZE: (_P,),
    _FINALIZE: (_P,),
    _GET_SLOT_LIST: (ctypes.c_ubyte, _P, _P),
    _GET_TOKEN_INFO: (Ulong, _P),
    _INIT_TOKEN: (Ulong, _P, Ulong, _P),
    _INIT_PIN: (Ulong, _P, Ulong),
    _SET_PIN: (Ulong, _P, Ulong, _P, Ulong),
    _OPEN_SESSION: (Ulong, Ulong, _P, _P, _P),
    _CLOSE_SESSION: (Ulong,),
    _LOGIN: (Ulong, Ulong, _P, Ulong),
    DECRYPT_INIT: (Ulong, _P, Ulong),
    DECRYPT: (Ulong, _P, Ulong, _P, _P),
}


def check(status: int, call: str) -> None:
    """Raises the rule that fits a CK_RV other than CKR_OK."""
    if status == _OK:
        return
    if status in _PIN_TROUBLE:
        raise PinRefused(f"The token refused the PIN ({call} gave {status:#x}).")
    if status in _TOKEN_TROUBLE:
        raise TokenGone(f"The token is not there ({call} gave {status:#x}).")
    raise HsmFailed(f"The HSM failed ({call} gave {status:#x}).")
