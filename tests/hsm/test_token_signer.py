"""One signature at a time, for ceremonies."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from verify_raw import check_raw

from hsmpub.hsm.rules import KeyMissing, KeyUnfit
from hsmpub.hsm.signer import TokenSigner

if TYPE_CHECKING:
    from conftest import Token


@pytest.mark.parametrize(
    ("key", "hash_name"),
    [("release", "sha256"), ("release", "sha512"), ("release-openpgp", "sha256"), ("release-openpgp", "sha512"),
     ("log", "none")],
)  # fmt: skip
def test_signs_what_others_verify(token: Token, key: str, hash_name: str) -> None:
    payload = b"message" if hash_name == "none" else hashlib.new(hash_name, b"message").digest()
    with TokenSigner(token.hsm, bytearray(token.pin)) as signer:
        signature = signer.sign(key, payload, hash=hash_name)  # type: ignore[arg-type]
    check_raw(next(pin for pin in token.keys if pin.name == key), signature, b"message", hash_name)


def test_goes_on_after_a_refusal(token: Token) -> None:
    with TokenSigner(token.hsm, bytearray(token.pin)) as signer:
        with pytest.raises(KeyMissing):
            signer.sign("nobody", bytes(32))
        with pytest.raises(KeyUnfit):
            signer.sign("log", bytes(32), hash="sha256")
        assert len(signer.sign("release", bytes(32))) == 64
