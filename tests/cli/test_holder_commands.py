"""`hsmpub alive`, `seal --holder` and `upgrade`: the share signs on the holder's machine and never leaves it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pyrage
import pytest
from command import Command
from running import Running
from shamir_mnemonic import generate_mnemonics

from hsmpub.model.holder_act import Permission, act_to_sign, dump_permission, load_permission
from hsmpub.sandbox import code_digest
from hsmpub.shares.slip39 import canonical
from hsmpub.shares.verifier import _key, holder_message
from hsmpub.wire import messages as m

NONCE = m.NonceReply(b"n" * 32, 1_795_000_300, "hsmpub-test", 4)


@pytest.fixture
def script(service: Running):  # type: ignore[no-untyped-def]
    before = dict(service.keeper.script)
    yield service.keeper.script
    service.keeper.script.clear()
    service.keeper.script.update(before)


@pytest.fixture
def share(tmp_path: Path) -> tuple[Path, Path, str]:
    words = generate_mnemonics(1, [(2, 3)], b"s" * 32, iteration_exponent=0)[0][0]
    identity = pyrage.x25519.Identity.generate()
    (tmp_path / "key.txt").write_text(str(identity))
    (tmp_path / "share.age").write_bytes(pyrage.encrypt(words.encode(), [identity.to_public()]))
    return tmp_path / "share.age", tmp_path / "key.txt", words


def check(words: str, kind: str, payload: bytes, signature: bytes) -> None:
    """As the keeper checks it."""
    key = _key("unseal", 4, "holder-1", canonical(bytearray(words.encode())))
    key.public_key().verify(signature, holder_message(kind, payload))


def sent(service: Running, kind: type[Any]) -> Any:
    return next(message for message in reversed(service.keeper.seen) if isinstance(message, kind))


def of(share: tuple[Path, Path, str]) -> tuple[str | Path, ...]:
    return ("--holder", "holder-1", "--share", share[0], "--identity", share[1])


def test_a_confirmation_is_sent_as_it_is_and_the_answer_is_said(
    hsmpub: Command, service: Running, script: dict[type, Any], tmp_path: Path
) -> None:
    script[m.Confirm] = m.Done("Confirmed: the unseal set of epoch 2. Not confirmed yet by holder-3.")
    (tmp_path / "holder-2.json").write_bytes(b'{"confirmation": "\xc3\xa9"}')
    said = hsmpub("confirm", tmp_path / "holder-2.json")
    assert said.status == 0, said.err
    assert "Not confirmed yet by holder-3." in said.out
    assert sent(service, m.Confirm).confirmation == (tmp_path / "holder-2.json").read_bytes()


def test_alive_and_seal_send_a_signature_and_no_word_of_the_share(
    hsmpub: Command, service: Running, script: dict[type, Any], share: tuple[Path, Path, str]
) -> None:
    script[m.GetNonce], script[m.SayAlive], script[m.SealAsHolder] = NONCE, m.Done(), m.Done()
    script[m.GetStatus] = service.keeper.status(dead_man_at=1_795_600_000)
    said = hsmpub("alive", *of(share))
    assert said.status == 0, said.err
    assert "holder-1 is there" in said.out
    assert "seals at 2026-11-25T" in said.out
    alive = sent(service, m.SayAlive)
    check(share[2], "alive", act_to_sign("hsmpub-test", NONCE.nonce), alive.signature)
    said = hsmpub("seal", *of(share), "--reason", "I am worried")
    assert said.status == 0, said.err
    seal = sent(service, m.SealAsHolder)
    check(share[2], "seal", act_to_sign("hsmpub-test", NONCE.nonce, "I am worried"), seal.signature)
    assert share[2].split()[0].encode() not in repr((alive, seal)).encode()


def test_nothing_is_signed_for_another_service(
    hsmpub: Command, script: dict[type, Any], share: tuple[Path, Path, str]
) -> None:
    script[m.GetNonce] = m.NonceReply(b"n" * 32, 1, "another.example", 4)
    said = hsmpub("seal", *of(share))
    assert said.status == 1
    assert "not the one in the pins" in said.err


def test_seal_without_a_name_says_who_may(hsmpub: Command) -> None:
    said = hsmpub("seal")
    assert said.status == 1
    assert "--holder" in said.err


def upgrade(*permissions: m.PermissionView, why: str = "No quorum has.") -> m.UpgradeReply:
    return m.UpgradeReply("hsmpub-test", 4, "aa" * 32, "bb" * 32, 17, why, 1, permissions)


def test_the_first_holder_begins_a_permission_for_the_code_they_name(
    hsmpub: Command, service: Running, script: dict[type, Any], share: tuple[Path, Path, str]
) -> None:
    script[m.GetUpgrade] = script[m.PermitUpgrade] = upgrade()
    assert hsmpub("upgrade", "permit", *of(share)).status == 1  # nobody agreed to anything
    said = hsmpub("upgrade", "permit", *of(share), "--code", "bb" * 32, "--within", "1h")
    assert said.status == 0, said.err
    message = sent(service, m.PermitUpgrade)
    check(share[2], "upgrade", message.body, message.signature)
    permission = load_permission(message.body)
    assert (permission.code, permission.unsealed_at, permission.epoch) == ("bb" * 32, 17, 4)
    assert permission.ends - permission.begins == 3600


def test_the_next_holder_signs_the_same_bytes_and_only_for_the_code_they_agree_to(
    hsmpub: Command, service: Running, script: dict[type, Any], share: tuple[Path, Path, str]
) -> None:
    now = int(time.time())
    body = dump_permission(Permission("hsmpub-test", 4, 17, "bb" * 32, now, now + 60, "nonce"))
    progress = (m.GroupProgress("", 3, ("holder-1", "holder-2"), ("holder-2",)),)
    script[m.GetUpgrade] = script[m.PermitUpgrade] = upgrade(m.PermissionView(body, ("holder-2",), progress, False))
    assert hsmpub("upgrade", "permit", *of(share), "--code", "bb" * 32).status == 0
    assert sent(service, m.PermitUpgrade).body == body
    assert hsmpub("upgrade", "permit", *of(share), "--yes").status == 0
    assert sent(service, m.PermitUpgrade).body == body
    said = hsmpub("upgrade", "show")
    assert "Signed: holder-2 (1 of 3)." in said.out
    assert "may go on once in the code" in said.out


def test_the_digest_of_a_folder_is_that_of_its_code(hsmpub: Command, tmp_path: Path) -> None:
    here = Path(__file__).parents[2]
    assert hsmpub("upgrade", "digest").out.strip() == code_digest()
    assert hsmpub("upgrade", "digest", here).out.strip() == code_digest(here)
    assert hsmpub("upgrade", "digest", tmp_path).status == 1
