"""Tokens are made once, with PINs that nobody sees, and destroyed for good."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hsmpub.hsm.config import HsmConfig
from hsmpub.hsm.rules import HsmFailed, PinRefused, TokenExists, TokenGone
from hsmpub.hsm.signer import TokenSigner
from hsmpub.hsm.token import destroy_token, init_token, new_pin


@given(st.integers(4, 255))
def test_a_pin_is_as_long_as_asked_and_types_on_any_keyboard(length: int) -> None:
    pin = new_pin(length)
    assert isinstance(pin, bytearray)
    assert len(pin) == length
    assert pin.isalnum()
    assert pin.isascii()


def test_two_pins_differ() -> None:
    assert new_pin() != new_pin()


def test_makes_a_token_that_opens_with_its_pin_only(hsm: HsmConfig) -> None:
    pin = new_pin()
    init_token(hsm, so_pin=new_pin(), pin=pin)
    with TokenSigner(hsm, pin):
        pass
    with pytest.raises(PinRefused):
        TokenSigner(hsm, new_pin())


def test_refuses_to_overwrite_a_token_and_leaves_its_pin(hsm: HsmConfig) -> None:
    pin = new_pin()
    init_token(hsm, so_pin=new_pin(), pin=pin)
    with pytest.raises(TokenExists):
        init_token(hsm, so_pin=new_pin(), pin=new_pin())
    with TokenSigner(hsm, pin):
        pass


def test_leaves_the_pins_of_the_caller_as_they_are(hsm: HsmConfig) -> None:
    so_pin, pin = bytearray(b"s" * 32), bytearray(b"u" * 32)
    init_token(hsm, so_pin=so_pin, pin=pin)
    assert (so_pin, pin) == (b"s" * 32, b"u" * 32)


def test_destroys_the_named_token_only(hsm: HsmConfig, tmp_path: Path) -> None:
    other = HsmConfig(hsm.module, "other", hsm.softhsm_conf, hsm.lock)
    pin = new_pin()
    init_token(hsm, so_pin=new_pin(), pin=pin)
    init_token(other, so_pin=new_pin(), pin=pin)
    destroy_token(hsm)
    destroy_token(hsm)
    with pytest.raises(TokenGone):
        TokenSigner(hsm, pin)
    with TokenSigner(other, pin):
        pass
    assert len(list((tmp_path / "tokens").iterdir())) == 1


def test_destroying_where_no_tokens_are_is_no_error(hsm: HsmConfig, tmp_path: Path) -> None:
    (tmp_path / "tokens").rmdir()
    destroy_token(hsm)


def test_does_not_pretend_to_destroy_what_is_not_softhsm(hsm: HsmConfig) -> None:
    with pytest.raises(HsmFailed):
        destroy_token(HsmConfig(hsm.module, hsm.token))


def test_a_module_that_is_none_is_named(hsm: HsmConfig, tmp_path: Path) -> None:
    (tmp_path / "module.so").write_bytes(os.urandom(100))
    with pytest.raises(HsmFailed, match="cannot be loaded"):
        TokenSigner(HsmConfig(str(tmp_path / "module.so"), "t", hsm.softhsm_conf, hsm.lock), new_pin())
