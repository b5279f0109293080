"""A signature by two straight calls, and by python-pkcs11 where the module does not give one at once."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pkcs11
import pytest

from hsmpub.hsm import functions as f
from hsmpub.hsm.held_key import HeldKey

OK, DEVICE_ERROR, BUFFER_TOO_SMALL = 0, 0x30, 0x150


class Module:
    """Answers C_SignInit and C_Sign as it is told, and counts the calls."""

    def __init__(self, init: int, sign: int, size: int) -> None:
        self._init, self._sign, self._size = init, sign, size
        self.calls: list[int] = []
        self.rooms: list[int] = []

    def function(self, place: int) -> Callable[..., int]:
        def call(session: int, how: Any, *rest: Any) -> int:
            self.calls.append(place)
            if place == f.SIGN_INIT:
                return self._init
            _, out, room = rest
            self.rooms.append(room._obj.value)
            out._obj.raw = b"\x5a" * len(out._obj)
            room._obj.value = self._size
            return self._sign

        return call


def _sign(module: Module, again: Callable[..., bytes]) -> bytes:
    key = SimpleNamespace(handle=7, sign=again)
    held = HeldKey(module, SimpleNamespace(handle=1), key)  # type: ignore[arg-type]
    return held.signer(pkcs11.Mechanism.ECDSA, 64)(b"x" * 32)


def test_two_calls_make_a_signature() -> None:
    module = Module(OK, OK, 64)
    assert _sign(module, lambda *_, **__: b"never") == b"\x5a" * 64
    assert module.calls == [f.SIGN_INIT, f.SIGN]


@pytest.mark.parametrize(
    ("init", "sign", "size"),
    [(DEVICE_ERROR, OK, 64), (OK, DEVICE_ERROR, 64), (OK, BUFFER_TOO_SMALL, 72), (OK, OK, 63)],
    ids=["init fails", "sign fails", "longer than expected", "shorter than expected"],
)
def test_whatever_else_happens_is_asked_again_through_the_library(init: int, sign: int, size: int) -> None:
    assert _sign(Module(init, sign, size), lambda message, mechanism: message + mechanism.name.encode()) == (
        b"x" * 32 + b"ECDSA"
    )


@pytest.mark.parametrize("size", [63, 72])
def test_the_module_is_told_the_size_of_the_buffer_whatever_it_put_there_before(size: int) -> None:
    module = Module(OK, OK, size)
    held = HeldKey(module, SimpleNamespace(handle=1), SimpleNamespace(handle=7, sign=lambda *_, **__: b"again"))  # type: ignore[arg-type]
    sign = held.signer(pkcs11.Mechanism.ECDSA, 64)
    assert [sign(b"x" * 32) for _ in range(3)] == [b"again"] * 3
    module._size = 64
    assert sign(b"x" * 32) == b"\x5a" * 64
    assert module.rooms == [64] * 4


def test_the_library_tells_what_is_wrong() -> None:
    def again(message: bytes, mechanism: pkcs11.Mechanism) -> bytes:
        raise pkcs11.DeviceRemoved

    with pytest.raises(pkcs11.DeviceRemoved):
        _sign(Module(DEVICE_ERROR, OK, 64), again)


def test_a_key_that_does_not_sign_says_so() -> None:
    held = HeldKey(Module(OK, OK, 64), SimpleNamespace(handle=1), SimpleNamespace(handle=7))  # type: ignore[arg-type]
    assert not held.signs
