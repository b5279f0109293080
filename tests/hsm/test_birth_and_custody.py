"""Keys are born, wrapped and taken into custody; from there they do one thing and never leave."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap_with_padding
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
    load_pem_public_key,
)
from msgspec.structs import replace

from hsmpub.hsm.birth import bear_keys
from hsmpub.hsm.config import BornKey, HsmConfig, KeySpec
from hsmpub.hsm.custody import import_keys
from hsmpub.hsm.rules import KeyExists, KeyMissing, KeyNotProven, KeyUnfit, WrappingRefused
from hsmpub.hsm.signer import TokenSigner
from hsmpub.hsm.token import init_token, new_pin

if TYPE_CHECKING:
    from conftest import Token


def born(token: Token, kind: str) -> BornKey:
    return next(one for one in token.born if one.kind == kind)


def der_of(wrapping_key: bytes, wrapped: bytes) -> bytes:
    """The PKCS#8 inside a wrapping, without the zero bytes that SoftHSM adds."""
    padded = aes_key_unwrap_with_padding(wrapping_key, wrapped)
    short = padded[1] < 0x80
    length = 2 + padded[1] if short else 2 + (padded[1] & 0x7F) + int.from_bytes(padded[2 : 2 + (padded[1] & 0x7F)])
    assert not any(padded[length:])
    return padded[:length]


@pytest.mark.parametrize("kind", ["p256", "rsa3072", "rsa3072-decrypt", "ed25519"])
def test_a_wrapping_holds_the_private_half_of_the_public_key(token: Token, kind: str) -> None:
    one = born(token, kind)
    der = der_of(token.wrapping_key, one.wrapped)
    if kind == "p256":  # without the public half inside, which is optional (RFC 5915)
        private = ec.derive_private_key(int.from_bytes(der[-32:]), ec.SECP256R1())
        public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    else:
        loaded = load_der_private_key(der, None)
        public = loaded.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert public.decode() == one.public_pem


def test_a_wrapped_aes_key_is_32_bytes(token: Token) -> None:
    one = born(token, "aes256")
    assert one.public_pem == ""
    assert len(aes_key_unwrap_with_padding(token.wrapping_key, one.wrapped)) == 32


def test_birth_leaves_nothing_behind(module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hsmpub.hsm.birth._MEMORY", tmp_path)
    wrapping_key = bytearray(os.urandom(32))
    copy = bytes(wrapping_key)
    first, second = (bear_keys(module, [KeySpec("k", "p256")], wrapping_key)[0] for _ in range(2))
    assert first.public_pem != second.public_pem
    assert wrapping_key == copy
    assert not list(tmp_path.iterdir())


def test_refuses_a_short_wrapping_key_and_repeated_names(module: str) -> None:
    with pytest.raises(KeyUnfit):
        bear_keys(module, [KeySpec("k", "p256")], bytearray(16))
    with pytest.raises(KeyUnfit):
        bear_keys(module, [KeySpec("k", "p256"), KeySpec("k", "aes256")], bytearray(32))


def test_custody_pins_every_key_to_its_mechanism(own_token: Token) -> None:
    fresh = [replace(one, name=f"{one.name}-again") for one in own_token.born]
    notes = import_keys(own_token.hsm, bytearray(own_token.pin), fresh, bytearray(own_token.wrapping_key))
    assert notes == {one.name: "pinned to its mechanism" for one in fresh}


CUSTODY = """
session = open_token(rw=True)
for name, kind in (("release", ObjectClass.PRIVATE_KEY), ("release-openpgp", ObjectClass.PRIVATE_KEY),
                   ("log", ObjectClass.PRIVATE_KEY), ("sealing", ObjectClass.SECRET_KEY),
                   ("backup", ObjectClass.PRIVATE_KEY)):
    key = find(session, name, kind)
    a = Attribute
    assert key[a.SENSITIVE] and key[a.PRIVATE] and key[a.TOKEN], name
    assert not key[a.EXTRACTABLE] and not key[a.MODIFIABLE] and not key[a.COPYABLE], name
    uses = {"sealing": {a.ENCRYPT, a.DECRYPT}, "backup": {a.DECRYPT}}.get(name, {a.SIGN})
    for use in (a.ENCRYPT, a.DECRYPT, a.SIGN, a.UNWRAP, a.WRAP, a.DERIVE):
        try:
            assert key[use] == (use in uses), (name, use)
        except AttributeTypeInvalid:
            assert use not in uses
    for attempt in (
        lambda: key.copy({a.TOKEN: False}),
        lambda: key.__setitem__(a.EXTRACTABLE, True),
        lambda: key.__setitem__(a.LABEL, "release"),
        lambda: key[a.PRIVATE_EXPONENT if name in ("release-openpgp", "backup") else a.VALUE],
    ):
        try:
            attempt()
        except PKCS11Error:
            continue
        raise SystemExit(f"{name} gave way")
rsa = find(session, "release-openpgp", ObjectClass.PRIVATE_KEY)
backup = find(session, "backup", ObjectClass.PRIVATE_KEY)
aes = find(session, "sealing", ObjectClass.SECRET_KEY)
wrapper = session.generate_key(KeyType.AES, 256, capabilities=MechanismFlag.WRAP)
for attempt in (
    lambda: rsa.sign(bytes(32), mechanism=Mechanism.RSA_PKCS_PSS,
                     mechanism_param=(Mechanism.SHA256, MGF.SHA256, 32)),
    lambda: rsa.decrypt(bytes(384), mechanism=Mechanism.RSA_PKCS),
    lambda: backup.sign(bytes(32), mechanism=Mechanism.RSA_PKCS),
    lambda: backup.decrypt(bytes(384), mechanism=Mechanism.RSA_PKCS),
    lambda: wrapper.wrap_key(backup, mechanism=Mechanism.AES_KEY_WRAP_PAD),
    lambda: aes.encrypt(bytes(16), mechanism=Mechanism.AES_ECB),
    lambda: wrapper.wrap_key(rsa, mechanism=Mechanism.AES_KEY_WRAP_PAD),
    lambda: wrapper.wrap_key(aes, mechanism=Mechanism.AES_KEY_WRAP),
):
    try:
        attempt()
    except (PKCS11Error, AttributeError):
        continue
    raise SystemExit("a key did what it must not")
print("held")
"""


def test_what_is_in_custody_does_one_thing_and_never_leaves(token: Token) -> None:
    assert token.script(CUSTODY).strip() == "held"


SIGN_INIT = """
import ctypes
from hsmpub.hsm import cryptoki, functions
functions.ARGUMENTS[42] = (cryptoki.Ulong, ctypes.c_void_p, cryptoki.Ulong)  # C_SignInit
session = open_token()
module = cryptoki.Cryptoki(MODULE)
for name in ("backup", "release-openpgp"):
    key = find(session, name, ObjectClass.PRIVATE_KEY)
    for start, mechanism in ((42, 0x1), (42, 0x3), (33, 0x1), (33, 0x3)):
        fresh = session.token.open()  # a successful start keeps its session busy
        wanted = ctypes.byref(cryptoki.Mechanism(mechanism, None, 0))
        print(name, start, mechanism, module.call(start, fresh.handle, wanted, key.handle) == 0)
"""


def test_the_token_lets_the_decryption_key_sign_nothing_and_the_signing_key_decrypt_nothing(token: Token) -> None:
    """Asked as C_SignInit (42) and C_DecryptInit (33), with padding (1) and without (3)."""
    said = token.script(f"MODULE = {token.hsm.module!r}\n{SIGN_INIT}").splitlines()
    assert [line.removesuffix(" True") for line in said if line.endswith(" True")] == [
        "backup 33 3", "release-openpgp 42 1",
    ]  # fmt: skip


def test_refuses_names_that_are_taken_and_changes_nothing(token: Token) -> None:
    with pytest.raises(KeyExists):
        import_keys(token.hsm, bytearray(token.pin), token.born, bytearray(token.wrapping_key))
    with TokenSigner(token.hsm, bytearray(token.pin)) as signer:
        signer.sign("release", bytes(32))


@pytest.mark.parametrize("kind", ["p256", "rsa3072", "rsa3072-decrypt", "ed25519", "aes256"])
def test_refuses_another_wrapping_key(own_token: Token, kind: str) -> None:
    one = replace(born(own_token, kind), name="again")
    with pytest.raises(WrappingRefused):
        import_keys(own_token.hsm, bytearray(own_token.pin), [one], bytearray(os.urandom(32)))


@pytest.mark.parametrize("kind", ["p256", "rsa3072-decrypt", "ed25519"])
def test_refuses_a_key_whose_certificate_names_another_and_keeps_none(hsm: HsmConfig, token: Token, kind: str) -> None:
    pin = new_pin()
    init_token(hsm, so_pin=new_pin(), pin=pin)
    foreign = bear_keys(hsm.module, [KeySpec("other", kind)], bytearray(32))[0]  # type: ignore[arg-type]
    lying = replace(born(token, kind), name="lying", public_pem=foreign.public_pem)
    honest = replace(born(token, "p256"), name="honest")
    with pytest.raises(KeyNotProven):
        import_keys(hsm, pin, [honest, lying], bytearray(token.wrapping_key))
    with TokenSigner(hsm, pin) as signer:
        for name in ("honest", "lying"):
            with pytest.raises(KeyMissing):
                signer.sign(name, bytes(32))


def test_a_restored_key_is_the_same_key(hsm: HsmConfig, token: Token) -> None:
    pin = new_pin()
    init_token(hsm, so_pin=new_pin(), pin=pin)
    import_keys(hsm, pin, token.born, bytearray(token.wrapping_key))
    with TokenSigner(hsm, pin) as signer:
        signature = signer.sign("log", b"the head of the log", hash="none")
    load_pem_public_key(born(token, "ed25519").public_pem.encode()).verify(signature, b"the head of the log")  # type: ignore[union-attr,call-arg]
