"""Holders with OpenPGP keys: gpg opens the share files, which go only to keys that the certificate vouches for."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator

import pytest
from gpg_holder import Gpg, gpg_ring
from hypothesis import given
from hypothesis import strategies as st
from shares_of import PIN

from hsmpub.errors import HsmpubError
from hsmpub.formats.openpgp.packet import armor
from hsmpub.shares.holder import check_own_share
from hsmpub.shares.identity import ShareFileForGpg, open_share_file
from hsmpub.shares.pgp_certificate import CertificateUnusable, read_certificate
from hsmpub.shares.plan import HolderKey, one_group
from hsmpub.shares.recipient import (
    RecipientUnusable,
    ShareFileNotProven,
    check_share_file,
    encrypt_to,
    parse_recipient,
    share_file_name,
)
from hsmpub.shares.record import plan_of
from hsmpub.shares.split import split_unseal

WORDS = b"the words of a share\n"
KINDS = {"modern": ("ed25519", "cv25519"), "rsa": ("rsa2048", "rsa2048"), "nist": ("nistp256", "nistp384")}


@pytest.fixture(scope="module")
def gpg() -> Iterator[Gpg]:
    with gpg_ring() as ring:
        yield ring


@pytest.fixture(scope="module")
def certificates(gpg: Gpg) -> dict[str, str]:
    return {name: gpg.make_key(name, *kinds) for name, kinds in KINDS.items()}


@pytest.mark.parametrize("name", KINDS)
def test_gpg_opens_the_share_file(gpg: Gpg, certificates: dict[str, str], name: str) -> None:
    recipient = parse_recipient(certificates[name])
    assert recipient.fingerprint == gpg.fingerprint(name)
    for words in (WORDS, WORDS * 20):
        file = encrypt_to(recipient, words)
        check_share_file(file, recipient, len(words))
        assert gpg.decrypt(file) == words
    assert share_file_name(name, file) == f"{name}.gpg"
    with pytest.raises(ShareFileNotProven):
        check_share_file(file, recipient, len(words) + 1)


def test_the_key_is_kept_short_and_found_again(gpg: Gpg, certificates: dict[str, str]) -> None:
    kept = parse_recipient(certificates["modern"])
    assert parse_recipient(kept.text) == kept
    assert b"example.org" not in base64.b64decode("".join(kept.text.splitlines()[2:-2]))
    assert gpg.decrypt(encrypt_to(parse_recipient(kept.text), WORDS)) == WORDS


def test_a_split_among_gpg_holders_and_the_next_one_by_the_record(gpg: Gpg, certificates: dict[str, str]) -> None:
    holders = [HolderKey(name, certificates[name]) for name in KINDS]
    split = split_unseal(one_group(2, holders), epoch=1, pin=PIN)
    words = gpg.decrypt(split.files["rsa"])
    check_own_share(words, b"", purpose="unseal", epoch=1, holder=split.record.holder("rsa"))
    again = split_unseal(plan_of(split.record), epoch=2, pin=PIN)
    assert gpg.decrypt(again.files["rsa"]) != words
    with pytest.raises(ShareFileForGpg, match="gpg --decrypt"):
        open_share_file(split.files["rsa"], b"")


def test_a_message_for_somebody_else_as_well_is_found(certificates: dict[str, str]) -> None:
    mine, other = (parse_recipient(certificates[name]) for name in ("modern", "nist"))
    file = encrypt_to(mine, WORDS)
    for wrong in (encrypt_to(other, WORDS), encrypt_to(other, WORDS)[:120] + file, file + file, file[:-1], b""):
        with pytest.raises(ShareFileNotProven):
            check_share_file(wrong, mine, len(WORDS))


def test_refuses_a_subkey_that_the_primary_key_does_not_vouch_for(certificates: dict[str, str]) -> None:
    mine, other = (read_certificate(certificates[name]) for name in ("modern", "nist"))
    size = mine.packets[1] + 2  # the primary key's packet, with its header
    grafted = mine.packets[:size] + other.packets[other.packets[1] + 2 :]
    with pytest.raises(CertificateUnusable, match="vouch"):
        read_certificate(armor("PUBLIC KEY BLOCK", grafted).decode())
    without = armor("PUBLIC KEY BLOCK", mine.packets[:size]).decode()
    with pytest.raises(CertificateUnusable, match="no encryption subkey"):
        read_certificate(without)


def test_refuses_revoked_private_and_sign_only_keys(gpg: Gpg, certificates: dict[str, str]) -> None:
    private = gpg.run("--export-secret-keys", "--armor", "modern").decode()
    with pytest.raises(RecipientUnusable):
        parse_recipient(private)
    with pytest.raises(CertificateUnusable, match="private"):
        parse_recipient(private.replace("PRIVATE KEY BLOCK", "PUBLIC KEY BLOCK"))
    gpg.run("--quick-generate-key", "signer <signer@example.org>", "ed25519", "cert,sign", "never")
    with pytest.raises(CertificateUnusable, match="no encryption subkey"):
        parse_recipient(gpg.certificate("signer"))
    gone = gpg.make_key("gone", "ed25519", "cv25519")
    parse_recipient(gone)
    revocation = (gpg.home / "openpgp-revocs.d" / f"{gpg.fingerprint('gone')}.rev").read_text()
    gpg.run("--import", stdin=re.sub("^:-----", "-----", revocation, flags=re.MULTILINE).encode())
    with pytest.raises(CertificateUnusable, match="revoked"):
        parse_recipient(gpg.certificate("gone"))


@given(st.data())
def test_no_altered_byte_of_a_certificate_gives_another_key(certificates: dict[str, str], data: st.DataObject) -> None:
    good = read_certificate(certificates["modern"])
    at = data.draw(st.integers(0, len(good.packets) - 1))
    altered = bytearray(good.packets)
    altered[at] ^= data.draw(st.integers(1, 255))
    try:
        found = read_certificate(armor("PUBLIC KEY BLOCK", bytes(altered)).decode())
    except HsmpubError:
        return
    assert (found.certificate, found.fingerprint) == (good.certificate, good.fingerprint)


def test_fingerprint_is_that_of_the_packet(certificates: dict[str, str]) -> None:
    key = read_certificate(certificates["rsa"])
    framed = b"\x99" + len(key.body).to_bytes(2, "big") + key.body
    assert hashlib.sha1(framed, usedforsecurity=False).digest() == key.fingerprint
