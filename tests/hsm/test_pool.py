"""The pool signs, in order, whatever fits its keys, and nothing else."""

from __future__ import annotations

import asyncio
import hashlib
import os
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from verify_raw import check_raw

from hsmpub.hsm.pool import Signers
from hsmpub.hsm.rules import ItemTooLarge, KeyUnfit, KeyUnknown, SealedSecretRefused, SignersClosed
from hsmpub.secret.box import BoxNotOpened, open_box, seal_box

if TYPE_CHECKING:
    from conftest import Pools, Token


def digests(count: int) -> tuple[list[bytes], list[bytes]]:
    messages = [f"artifact {number}".encode() for number in range(count)]
    return messages, [hashlib.sha256(message).digest() for message in messages]


def test_signs_with_every_key_and_keeps_the_order(token: Token, pools: Pools) -> None:
    keys = {key.name: key for key in token.keys}

    async def body(pool: Signers) -> None:
        messages, items = digests(100)
        for message, signature in zip(messages, await pool.sign("release", items), strict=True):
            check_raw(keys["release"], signature, message)
        for message, signature in zip(messages, await pool.sign("log", messages, hash="none"), strict=True):
            check_raw(keys["log"], signature, message)
        for message, signature in zip(messages, await pool.sign("release-openpgp", items[:6]), strict=False):
            check_raw(keys["release-openpgp"], signature, message)
        digest = hashlib.sha512(b"m").digest()
        (signature,) = await pool.sign("release-openpgp", [digest], hash="sha512")
        check_raw(keys["release-openpgp"], signature, b"m", "sha512")
        assert await pool.sign("release", []) == []

    pools.run(token, body)


def test_many_clients_at_once_each_get_their_own(token: Token, pools: Pools) -> None:
    keys = {key.name: key for key in token.keys}

    async def body(pool: Signers) -> None:
        async def client(number: int) -> None:
            messages, items = digests(number % 5 + 1)
            name = ("release", "release-openpgp")[number % 16 == 0]
            for message, signature in zip(messages, await pool.sign(name, items), strict=True):
                check_raw(keys[name], signature, message)

        await asyncio.gather(*(client(number) for number in range(80)))

    pools.run(token, body)


def test_a_long_request_does_not_hold_up_a_short_one(token: Token, pools: Pools) -> None:
    async def body(pool: Signers) -> None:
        long = asyncio.ensure_future(pool.sign("release-openpgp", [bytes(32)] * 60))
        await asyncio.sleep(0)
        await pool.sign("release", [bytes(32)])
        assert not long.done()
        long.cancel()
        assert len(await pool.sign("release", [bytes(32)] * 3)) == 3

    pools.run(token, body)


@pytest.mark.parametrize(
    ("key", "item", "hash_name"),
    [
        ("release", bytes(31), "sha256"),
        ("release", bytes(32), "sha512"),
        ("release", b"message", "none"),
        ("release", bytes(16), "md5"),
        ("log", bytes(32), "sha256"),
        ("sealing", bytes(32), "sha256"),
        ("sealing", b"", "self-test"),
        ("release", b"", "self-test"),
    ],
)
def test_refuses_what_does_not_fit_the_key(token: Token, pools: Pools, key: str, item: bytes, hash_name: str) -> None:
    async def body(pool: Signers) -> None:
        with pytest.raises(KeyUnfit):
            await pool.sign(key, [bytes(32), item], hash=hash_name)  # type: ignore[arg-type]

    pools.run(token, body, workers=1)


def test_refuses_unknown_keys_and_messages_without_end(token: Token, pools: Pools) -> None:
    async def body(pool: Signers) -> None:
        with pytest.raises(KeyUnknown):
            await pool.sign("nobody", [bytes(32)])
        with pytest.raises(ItemTooLarge):
            await pool.sign("log", [bytes(600_000)], hash="none")

    pools.run(token, body, workers=1)


def test_the_self_test_tries_every_key(token: Token, pools: Pools) -> None:
    async def body(pool: Signers) -> None:
        assert await pool.self_test() == {key.name: "ok" for key in token.keys}

    pools.run(token, body)


def test_names_its_protections_and_counts_its_signers(token: Token, pools: Pools) -> None:
    async def body(pool: Signers) -> None:
        assert pool.protections["no-debugger"] == "on"
        assert (pool.alive, pool.generation, len(set(pool.pids))) == (2, 2, 2)

    pools.run(token, body)


def test_closing_seals_at_once_and_fails_what_waits(token: Token, pools: Pools) -> None:
    async def body(pool: Signers) -> None:
        waiting = [asyncio.ensure_future(pool.sign("release-openpgp", [bytes(32)] * 50)) for _ in range(3)]
        await pool.sign("release", [bytes(32)])
        pool.close()
        for outcome in await asyncio.gather(*waiting, return_exceptions=True):
            assert isinstance(outcome, SignersClosed)
        with pytest.raises(SignersClosed):
            await pool.sign("release", [bytes(32)])
        with pytest.raises(SignersClosed):
            await pool.seal_secret(b"", private=bytes(32), info=b"", aad=b"")
        assert pool.alive == 0
        pool.close()

    pools.run(token, body)


def test_closing_wipes_the_pin(token: Token) -> None:
    async def main() -> None:
        page = token.page()
        view = page.view
        pool = await Signers.start(token.hsm, token.keys, page, workers=1, on_alarm=print)
        assert view == token.pin
        pool.close()
        assert not any(view)

    asyncio.run(main())


class Person:
    def __init__(self) -> None:
        key = X25519PrivateKey.generate()
        self.private, self.public = key.private_bytes_raw(), key.public_key().public_bytes_raw()


def test_a_credential_goes_in_and_comes_out_in_boxes_only(token: Token, pools: Pools) -> None:
    intake, child = Person(), Person()
    credential = os.urandom(40).hex().encode()

    async def body(pool: Signers) -> None:
        box = seal_box(intake.public, b"intake", credential)
        sealed = await pool.seal_secret(box, private=intake.private, info=b"intake", aad=b"pypi")
        assert len(sealed) == 12 + len(credential) + 16
        assert credential not in sealed
        lease = await pool.lease_secret(sealed, aad=b"pypi", to=child.public, info=b"lease")
        assert open_box(child.private, b"lease", lease) == credential

        again = await pool.seal_secret(box, private=intake.private, info=b"intake", aad=b"pypi")
        assert again[:12] != sealed[:12]
        for spoiled, aad in ((sealed, b"github"), (sealed[:-1] + bytes([sealed[-1] ^ 1]), b"pypi"), (b"", b"pypi")):
            with pytest.raises(SealedSecretRefused):
                await pool.lease_secret(spoiled, aad=aad, to=child.public, info=b"lease")
        with pytest.raises(BoxNotOpened):
            await pool.seal_secret(box, private=intake.private, info=b"another purpose", aad=b"pypi")

    pools.run(token, body, workers=1)


def test_closing_ends_a_vault_too(token: Token, pools: Pools) -> None:
    intake = Person()

    async def body(pool: Signers) -> None:
        box = seal_box(intake.public, b"intake", b"credential")
        sealing = asyncio.ensure_future(pool.seal_secret(box, private=intake.private, info=b"intake", aad=b""))
        await asyncio.sleep(0)
        pool.close()
        (outcome,) = await asyncio.gather(sealing, return_exceptions=True)
        assert isinstance(outcome, SignersClosed)

    pools.run(token, body, workers=1)
