"""What a PKCS#11 module gives back (CK_RV), as rules. Source: PKCS#11 3.0, 5.1."""

from __future__ import annotations

from hsmpub.hsm.functions import TokenInfo
from hsmpub.hsm.rules import HsmFailed, PinLengthUnfit, PinLocked, PinRefused, SessionsExhausted, TokenGone

OK = 0
#: PIN incorrect, invalid, of a wrong length, expired; user PIN not initialised.
_PIN_TROUBLE = {0xA0, 0xA1, 0xA2, 0xA3, 0x102}
_PIN_LOCKED, _SESSION_COUNT = 0xA4, 0xB1
_TOKEN_TROUBLE = {0xE0, 0xE1, 0x32}  # token not present, not recognised; device removed


def check_pin_length(info: TokenInfo, length: int) -> None:
    """Raises PinLengthUnfit. A module that names no limits takes any length."""
    if info.max_pin and not info.min_pin <= length <= info.max_pin:
        raise PinLengthUnfit(f"The token takes PINs of {info.min_pin} to {info.max_pin} characters, not {length}.")


def check(status: int, call: str) -> None:
    """Raises the rule that fits a CK_RV other than CKR_OK."""
    if status == OK:
        return
    if status == _PIN_LOCKED:
        raise PinLocked("The token has locked its PIN after wrong ones and refuses every PIN now.")
    if status in _PIN_TROUBLE:
        raise PinRefused(f"The token refused the PIN ({call} gave {status:#x}).")
    if status in _TOKEN_TROUBLE:
        raise TokenGone(f"The token is not there ({call} gave {status:#x}).")
    if status == _SESSION_COUNT:
        raise SessionsExhausted("The token has no session left for another process.")
    raise HsmFailed(f"The HSM failed ({call} gave {status:#x}).")
