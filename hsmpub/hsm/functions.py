"""The function list of a PKCS#11 module, as ctypes sees it.

Source: PKCS#11 2.40 and its pkcs11t.h; places in CK_FUNCTION_LIST are the same in 3.0.
"""

from __future__ import annotations

import ctypes

from hsmpub.hsm.rules import HsmFailed

INITIALIZE, FINALIZE, GET_INFO, GET_SLOT_LIST, GET_TOKEN_INFO = 0, 1, 2, 4, 6
GET_MECHANISM_INFO, INIT_TOKEN, INIT_PIN, SET_PIN = 8, 9, 10, 11
OPEN_SESSION, CLOSE_SESSION, LOGIN, LOGOUT, DECRYPT_INIT, DECRYPT = 12, 13, 18, 19, 33, 34
SIGN_INIT, SIGN = 42, 43
_FUNCTIONS = 68

Ulong = ctypes.c_ulong
_P = ctypes.c_void_p
ARGUMENTS: dict[int, tuple[type, ...]] = {
    INITIALIZE: (_P,),
    FINALIZE: (_P,),
    GET_INFO: (_P,),
    GET_SLOT_LIST: (ctypes.c_ubyte, _P, _P),
    GET_TOKEN_INFO: (Ulong, _P),
    GET_MECHANISM_INFO: (Ulong, Ulong, _P),
    INIT_TOKEN: (Ulong, _P, Ulong, _P),
    INIT_PIN: (Ulong, _P, Ulong),
    SET_PIN: (Ulong, _P, Ulong, _P, Ulong),
    OPEN_SESSION: (Ulong, Ulong, _P, _P, _P),
    CLOSE_SESSION: (Ulong,),
    LOGIN: (Ulong, Ulong, _P, Ulong),
    LOGOUT: (Ulong,),
    DECRYPT_INIT: (Ulong, _P, Ulong),
    DECRYPT: (Ulong, _P, Ulong, _P, _P),
    SIGN_INIT: (Ulong, _P, Ulong),
    SIGN: (Ulong, ctypes.c_char_p, Ulong, _P, _P),
}


class FunctionList(ctypes.Structure):
    """CK_FUNCTION_LIST."""

    _fields_ = (("version", ctypes.c_ubyte * 2), ("functions", ctypes.c_void_p * _FUNCTIONS))


class Info(ctypes.Structure):
    """CK_INFO; texts are padded with spaces."""

    _fields_ = (
        ("cryptoki", ctypes.c_ubyte * 2),
        ("manufacturer", ctypes.c_char * 32),
        ("flags", Ulong),
        ("description", ctypes.c_char * 32),
        ("library", ctypes.c_ubyte * 2),
    )


class TokenInfo(ctypes.Structure):
    """CK_TOKEN_INFO; texts are padded with spaces."""

    _fields_ = (
        ("label", ctypes.c_char * 32),
        ("manufacturer", ctypes.c_char * 32),
        ("model", ctypes.c_char * 16),
        ("serial", ctypes.c_char * 16),
        ("flags", Ulong),
        ("max_sessions", Ulong),
        ("sessions", Ulong),
        ("max_rw_sessions", Ulong),
        ("rw_sessions", Ulong),
        ("max_pin", Ulong),
        ("min_pin", Ulong),
        ("memory", Ulong * 4),
        ("hardware", ctypes.c_ubyte * 2),
        ("firmware", ctypes.c_ubyte * 2),
        ("time", ctypes.c_char * 16),
    )


class MechanismInfo(ctypes.Structure):
    """CK_MECHANISM_INFO; sizes in bits for RSA and EC, in bytes for AES."""

    _fields_ = (("min_size", Ulong), ("max_size", Ulong), ("flags", Ulong))


class Mechanism(ctypes.Structure):
    """CK_MECHANISM."""

    _fields_ = (("mechanism", Ulong), ("parameter", ctypes.c_void_p), ("length", Ulong))


def load_functions(path: str, library: object = None) -> FunctionList:
    """The function list of the module at `path`.

    Args:
        library: what `pkcs11.lib(path)` gave, where sessions are to be shared with it. Most modules have one list for
            all; p11-kit gives each caller an instance of its own, with sessions and logins of its own.

    Raises:
        HsmFailed: the library cannot be loaded or is no PKCS#11 module.
    """
    try:
        loaded = ctypes.CDLL(path)
        first, second = _ask_for_list(loaded), _ask_for_list(loaded)
    except (OSError, AttributeError) as error:
        raise HsmFailed("The PKCS#11 module cannot be loaded.", next_step="Check the module's path.") from error
    if library is None or ctypes.addressof(first) == ctypes.addressof(second):
        return first
    return FunctionList.from_address(_list_inside(library))


def _ask_for_list(loaded: ctypes.CDLL) -> FunctionList:
    pointer = ctypes.POINTER(FunctionList)()
    if loaded.C_GetFunctionList(ctypes.byref(pointer)) != 0:
        raise HsmFailed("The PKCS#11 module gives no functions.", next_step="Check the module's path.")
    return pointer.contents


def _list_inside(library: object) -> int:
    """Address of the function list that python-pkcs11 holds: the first field of its class HasFuncList.

    It has no other way to share its list, and a login of one's own would not count for its sessions.
    """
    base = type(library).__mro__[1]
    if (base.__name__, base.__basicsize__) != ("HasFuncList", object.__basicsize__ + 3 * ctypes.sizeof(_P)):
        raise HsmFailed("This python-pkcs11 is of another version than the locked one.")
    return ctypes.c_size_t.from_address(id(library) + object.__basicsize__).value
