"""The holder's own machine: share files, private keys, and whom the share is sealed to."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pyrage
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from shares_of import Holders, make_holders

from hsmpub.model.terms import UNLIMITED, Terms, bound_attempt, dump_terms
from hsmpub.secret.box import BoxNotOpened, open_box
from hsmpub.shares.gathering import SHARE_CONTEXT, ShareAltered
from hsmpub.shares.holder import AttemptNotOfKeeper, attempt_to_sign, box_for_attempt, check_own_share
from hsmpub.shares.identity import IdentityEncrypted, IdentityUnusable, ShareFileOfAnother, open_share_file
from hsmpub.shares.recipient import (
    RecipientUnusable,
    ShareFileNotProven,
    check_share_file,
    encrypt_to,
    parse_recipient,
)
from hsmpub.shares.record_file import RecordMalformed, dump_record, load_unseal_record
from hsmpub.shares.slip39 import ShareMalformed


@dataclass(frozen=True)
class Announced:
    attempt: bytes
    key: bytes
    signature: bytes
    expires_at: int
    terms: Terms = UNLIMITED


KEEPER = Ed25519PrivateKey.generate()
KEEPER_KEY = KEEPER.public_key().public_bytes_raw()
CHILD = X25519PrivateKey.generate()


def announced(signer: Ed25519PrivateKey = KEEPER, terms: Terms = UNLIMITED) -> Announced:
    attempt, key = os.urandom(16), CHILD.public_key().public_bytes_raw()
    return Announced(attempt, key, signer.sign(attempt_to_sign(attempt, key, 2_000, terms)), 2_000, terms)


def test_the_box_holds_the_words_for_this_attempt_and_holder(holders: Holders) -> None:
    said = announced()
    box = box_for_attempt(holders.files["holder-1"], holders.identities["holder-1"], said, "holder-1", KEEPER_KEY)
    words = open_box(CHILD.private_bytes_raw(), SHARE_CONTEXT + said.attempt + b"holder-1", box)
    assert words == holders.words("holder-1")


def test_words_from_a_plugin_tool_need_no_identity(holders: Holders) -> None:
    said = announced()
    typed = holders.words("holder-1").upper() + b"\n"
    box = box_for_attempt(bytes(typed), b"", said, "holder-1", KEEPER_KEY)
    assert open_box(CHILD.private_bytes_raw(), SHARE_CONTEXT + said.attempt + b"holder-1", box)
    with pytest.raises(ShareMalformed):
        box_for_attempt(b"no words of a share", b"", said, "holder-1", KEEPER_KEY)


def test_refuses_an_attempt_that_the_pinned_keeper_did_not_sign(holders: Holders) -> None:
    stranger = announced(Ed25519PrivateKey.generate())
    good = announced()
    with pytest.raises(AttemptNotOfKeeper):
        box_for_attempt(b"never opened", b"", stranger, "holder-1", KEEPER_KEY)
    swapped = Announced(good.attempt, os.urandom(32), good.signature, good.expires_at)
    prolonged = Announced(good.attempt, good.key, good.signature, 3_000)
    widened = Announced(good.attempt, good.key, good.signature, 2_000, Terms(signatures=5))
    for altered in (swapped, prolonged, widened):
        with pytest.raises(AttemptNotOfKeeper):
            box_for_attempt(b"never opened", b"", altered, "holder-1", KEEPER_KEY)
    with pytest.raises(AttemptNotOfKeeper):
        box_for_attempt(b"never opened", b"", good, "holder-1", b"short")


def test_the_box_is_bound_to_the_terms_that_the_holder_was_shown(holders: Holders) -> None:
    terms = Terms(3600, 500, ("sdk-python",))
    said = announced(terms=terms)
    box = box_for_attempt(holders.files["holder-1"], holders.identities["holder-1"], said, "holder-1", KEEPER_KEY)
    bound = bound_attempt(said.attempt, dump_terms(terms))
    assert open_box(CHILD.private_bytes_raw(), SHARE_CONTEXT + bound + b"holder-1", box)
    for other in (b"", dump_terms(Terms(3601, 500, ("sdk-python",)))):
        with pytest.raises(BoxNotOpened):
            open_box(CHILD.private_bytes_raw(), SHARE_CONTEXT + bound_attempt(said.attempt, other) + b"holder-1", box)


def ssh_key(folder: Path, kind: str, passphrase: str = "") -> Path:
    path = folder / kind
    more = ["-b", "2048"] if kind == "rsa" else []
    subprocess.run(["ssh-keygen", "-q", "-t", kind, *more, "-N", passphrase, "-f", str(path)], check=True)
    return path


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_ssh_keys_of_holders_open_their_shares(tmp_path: Path, kind: str) -> None:
    path = ssh_key(tmp_path, kind)
    recipient = parse_recipient(path.with_suffix(".pub").read_text())
    file = encrypt_to(recipient, b"the words")
    check_share_file(file, recipient, len(b"the words"))
    assert open_share_file(file, path.read_bytes()) == b"the words"
    listed = subprocess.run(["ssh-keygen", "-l", "-f", str(path)], check=True, capture_output=True, text=True)
    assert recipient.fingerprint in listed.stdout.split()


def test_a_protected_ssh_key_gets_advice(tmp_path: Path) -> None:
    path = ssh_key(tmp_path, "ed25519", "a passphrase")
    file = encrypt_to(parse_recipient(path.with_suffix(".pub").read_text()), b"the words")
    with pytest.raises(IdentityEncrypted):
        open_share_file(file, path.read_bytes())


def test_refuses_the_file_of_another_holder_and_keys_that_are_none(holders: Holders) -> None:
    file = holders.files["holder-1"]
    with pytest.raises(ShareFileOfAnother) as refusal:
        open_share_file(file, holders.identities["holder-2"])
    assert refusal.value.__context__ is None
    damaged = file[:-1] + bytes([file[-1] ^ 1])
    with pytest.raises(ShareFileOfAnother):
        open_share_file(damaged, holders.identities["holder-1"])
    for identity in (b"", b"AGE-SECRET-KEY-1QQQQ", b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n", b"\xff\xfe"):
        with pytest.raises(IdentityUnusable):
            open_share_file(file, identity)


@pytest.mark.parametrize(
    "text",
    [
        "", "age1", "age1qqqqqq", "AGE-SECRET-KEY-1ABC", "ssh-ed25519", "ssh-ed25519 AAAA", "ssh-rsa !!!!",
        "age1yubikey1qqqq",
        "ecdsa-sha2-nistp256 AAAA", "sk-ssh-ed25519@openssh.com AAAA", "-----BEGIN OPENSSH PRIVATE KEY-----",
    ],
)  # fmt: skip
def test_refuses_a_public_key_that_shares_cannot_be_encrypted_to(text: str) -> None:
    with pytest.raises(RecipientUnusable) as refusal:
        parse_recipient(text)
    assert "SECRET" not in str(refusal.value)


def test_a_share_file_for_somebody_else_as_well_is_found() -> None:
    mine, other = (pyrage.x25519.Identity.generate().to_public() for _ in range(2))
    file = pyrage.encrypt(b"the words", [mine, other])
    with pytest.raises(ShareFileNotProven, match="alone"):
        check_share_file(file, parse_recipient(str(mine)), 9)
    with pytest.raises(ShareFileNotProven, match="whole"):
        check_share_file(pyrage.encrypt(b"the", [mine]), parse_recipient(str(mine)), 9)


def test_a_holder_checks_a_share_without_unsealing(holders: Holders) -> None:
    file, key = holders.files["holder-1"], holders.identities["holder-1"]
    mine, other = holders.record.holder("holder-1"), holders.record.holder("holder-2")
    check_own_share(file, key, purpose="unseal", epoch=1, holder=mine)
    with pytest.raises(ShareAltered):
        check_own_share(file, key, purpose="unseal", epoch=1, holder=other)
    with pytest.raises(ShareAltered):
        check_own_share(file, key, purpose="recovery", epoch=1, holder=mine)
    with pytest.raises(ShareAltered):
        check_own_share(file, key, purpose="unseal", epoch=2, holder=mine)
    with pytest.raises(ShareMalformed):
        check_own_share(b"some words", b"", purpose="unseal", epoch=1, holder=mine)


def test_records_round_trip_and_refuse_what_no_ceremony_writes(holders: Holders) -> None:
    data = dump_record(holders.record)
    assert load_unseal_record(data) == holders.record
    for old, new in [
        (b'"threshold": 3', b'"threshold": 1'),
        (b'"threshold": 3', b'"threshold": 6'),
        (b'"name": "holder-2"', b'"name": "holder-1"'),
        (b'"index": 1', b'"index": 0'),
        (b'"epoch": 1', b'"epoch": 0'),
        (b'"epoch": 1', b'"epoch": 1, "more": 2'),
        (b"{", b"["),
    ]:
        assert old in data
        with pytest.raises(RecordMalformed):
            load_unseal_record(data.replace(old, new, 1))


def test_two_splits_share_no_secret_and_no_share() -> None:
    first, second = make_holders(3, 2), make_holders(3, 2)
    assert first.record.check != second.record.check
    assert first.words("holder-1")[60:] != second.words("holder-1")[60:]
