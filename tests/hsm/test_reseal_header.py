"""A header opened in the HSM, in a process of its own, and what that process never gives away."""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING

import pyrage
import pytest

from hsmpub.envelope.age import OAEP_LABEL, ssh_tag, write_age_header, write_stanza
from hsmpub.envelope.rules import HeaderForOthers, HeaderMalformed, HeaderNotOpened, RecipientRefused
from hsmpub.hsm.pool import Signers
from hsmpub.hsm.rules import KeyUnfit, KeyUnknown
from hsmpub.model.key import KeyRecord
from tests.envelope.team import sealed_to

if TYPE_CHECKING:
    from conftest import Pools, Token


def backup(token: Token) -> KeyRecord:
    return next(key for key in token.keys if key.name == "backup")


def test_the_recipient_gets_the_same_file_key(pools: Pools, token: Token) -> None:
    key, file_key = backup(token), os.urandom(16)
    person = pyrage.x25519.Identity.generate()
    header = write_age_header(sealed_to(key, file_key, OAEP_LABEL), bytearray(file_key))

    async def body(pool: Signers) -> None:
        made = await pool.reseal_header("backup", "age", header, str(person.to_public()))
        assert made.count(b"\n-> ") == 1
        assert made != header
        # the code of a header is made with the file key: so this one is of the same key
        head, _, mac = made.rpartition(b"--- ")
        again = write_age_header(head.removeprefix(b"age-encryption.org/v1\n"), bytearray(file_key))
        assert again.rpartition(b"--- ")[2] == mac
        assert file_key not in made
        assert base64.b64encode(file_key)[:20] not in made

    pools.run(token, body)


def test_one_refusal_for_everything_that_can_be_wrong_inside(pools: Pools, token: Token) -> None:
    key, file_key = backup(token), bytearray(os.urandom(16))
    person = str(pyrage.x25519.Identity.generate().to_public())
    good = sealed_to(key, bytes(file_key), OAEP_LABEL)
    noise = b"\0" + os.urandom(383)
    wrong = {
        "no padding at all": write_age_header(write_stanza(["ssh-rsa", ssh_tag(key)], noise), file_key),
        "another label": write_age_header(sealed_to(key, bytes(file_key), b"other"), file_key),
        "another length": write_age_header(sealed_to(key, bytes(file_key) + b"!", OAEP_LABEL), file_key),
        "another code": write_age_header(good, bytearray(16)),
        "a stanza added": write_age_header(good, file_key).replace(b"\n---", b"\n-> X25519 abc\n\n---"),
    }

    async def body(pool: Signers) -> None:
        said = set()
        for what, header in wrong.items():
            with pytest.raises(HeaderNotOpened) as caught:
                await pool.reseal_header("backup", "age", header, person)
            said.add((str(caught.value), caught.value.retry))
            assert what
        assert len(said) == 1

    pools.run(token, body)


def test_refuses_before_anything_is_decrypted(pools: Pools, token: Token) -> None:
    key, file_key = backup(token), bytearray(16)
    person = str(pyrage.x25519.Identity.generate().to_public())
    header = write_age_header(sealed_to(key, bytes(16), OAEP_LABEL), file_key)
    large = write_age_header(write_stanza(["ssh-rsa", ssh_tag(key)], b"\xff" * 384), file_key)
    other = write_age_header(write_stanza(["X25519", "abc"], bytes(32)), file_key)

    async def body(pool: Signers) -> None:
        with pytest.raises(HeaderForOthers):
            await pool.reseal_header("backup", "age", other, person)
        with pytest.raises(HeaderMalformed):
            await pool.reseal_header("backup", "age", large, person)
        with pytest.raises(RecipientRefused):
            await pool.reseal_header("backup", "age", header, person[:-1])
        with pytest.raises(KeyUnfit):
            await pool.reseal_header("release-openpgp", "age", header, person)
        with pytest.raises(KeyUnknown):
            await pool.reseal_header("none", "age", header, person)
        with pytest.raises(KeyUnfit):
            await pool.sign("backup", [bytes(32)])
        assert set((await pool.self_test()).values()) == {"ok"}

    pools.run(token, body)
