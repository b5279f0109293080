"""Can the service use this module? Answered from what the module says of itself, before anything is changed.

| row | why |
|---|---|
| a free token | the ceremony makes a token of its own, with a PIN that nobody sees |
| PIN length | the random PIN has the length that the ceremony file says |
| each kind of key | its one mechanism, for what the key is for, in its size |
| taking keys in | keys are born outside and unwrapped inside; or created by value in a short-lived process |

What a module says is not what it does: the ceremony proves each key after it is in the token
(`hsmpub.hsm.proof`), and the signers verify every signature.
"""

from __future__ import annotations

from collections.abc import Iterator

from pkcs11 import Attribute, Mechanism

from hsmpub.errors import HsmpubError
from hsmpub.hsm.config import HsmConfig
from hsmpub.hsm.cryptoki import Cryptoki
from hsmpub.hsm.functions import Info
from hsmpub.hsm.messages import LookAtModule, ModuleReport
from hsmpub.hsm.returned import check_pin_length
from hsmpub.hsm.template import MECHANISMS, usages
from hsmpub.model.key import KeyKind

YES, BY_VALUE = "yes", "by value: it does not unwrap with AES key wrap (RFC 5649)"
FREE, PIN, IMPORT = "a free token", "PIN length", "taking keys in"
#: CKF_ENCRYPT, CKF_DECRYPT, CKF_SIGN, CKF_UNWRAP of CK_MECHANISM_INFO.
_FLAGS = {Attribute.ENCRYPT: 0x100, Attribute.DECRYPT: 0x200, Attribute.SIGN: 0x800}
_UNWRAP = 0x40000
_RSA_BITS = 3072


def look_at_module(hsm: HsmConfig, order: LookAtModule) -> ModuleReport:
    """Loads the module and asks; logs in nowhere and changes nothing.

    Raises:
        HsmFailed: it cannot be loaded or started.
    """
    cryptoki = Cryptoki(hsm.module)
    cryptoki.initialize()
    slot, free = _free_slot(cryptoki, hsm.token)
    rows = {FREE: free}
    if slot is not None:
        rows[PIN] = _pin_length(cryptoki, slot, order.pin_length)
        rows |= {f"key {kind}": _key(cryptoki, slot, kind) for kind in order.kinds}
        rows[IMPORT] = _import(cryptoki, slot)
    lacks = tuple(name for name, answer in rows.items() if answer not in (YES, BY_VALUE))
    return ModuleReport(_name(cryptoki.info()), rows, lacks)


def _free_slot(cryptoki: Cryptoki, label: str) -> tuple[int | None, str]:
    """A slot to ask about, and whether a token named `label` can be made."""
    taken, free = cryptoki.find_token(label), cryptoki.free_slot()
    if taken is not None:
        return taken, f"there is a token named {label!r} already"
    if free is None:
        return next(iter(cryptoki.slots()), None), "every token is initialised"
    return free, YES


def _pin_length(cryptoki: Cryptoki, slot: int, length: int) -> str:
    try:
        check_pin_length(cryptoki.token_info(slot), length)
    except HsmpubError as error:
        return error.detail
    return YES


def _key(cryptoki: Cryptoki, slot: int, kind: KeyKind) -> str:
    mechanism = MECHANISMS[kind]
    info = cryptoki.mechanism_info(slot, mechanism)
    if info is None:
        return f"no mechanism {_spelled(mechanism)}"
    for missing in _missing(kind, info.flags):
        return f"{_spelled(mechanism)} does not {missing}"
    if kind.startswith("rsa") and 0 < info.max_size < _RSA_BITS:
        return f"{_spelled(mechanism)} takes keys of {info.max_size} bits at most"
    return YES


def _missing(kind: KeyKind, flags: int) -> Iterator[str]:
    for usage, wanted in usages(kind).items():
        if wanted and not flags & _FLAGS[usage]:
            yield usage.name.lower()


def _import(cryptoki: Cryptoki, slot: int) -> str:
    info = cryptoki.mechanism_info(slot, Mechanism.AES_KEY_WRAP_PAD)
    return YES if info is not None and info.flags & _UNWRAP else BY_VALUE


def _spelled(mechanism: Mechanism) -> str:
    return f"CKM_{mechanism.name}"


def _name(info: Info) -> str:
    texts = [bytes(text).decode(errors="replace").strip() for text in (info.manufacturer, info.description)]
    return f"{' '.join(text for text in texts if text)} {info.library[0]}.{info.library[1]}"
