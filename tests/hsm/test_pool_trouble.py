"""Signers die, tokens vanish, PINs change: nothing wrong is signed, and the pool comes back by itself."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from verify_raw import check_raw

from hsmpub.errors import Unavailable
from hsmpub.hsm.pool import Signers
from hsmpub.hsm.rules import KeyMissing, PinRefused, SignatureNotVerified, SignersClosed, TokenGone

if TYPE_CHECKING:
    from conftest import Pools, Token

DIGEST = hashlib.sha256(b"artifact").digest()


async def until_signing(pool: Signers) -> list[bytes]:
    """Tries until the pool signs again; the caller's time limit ends it."""
    while True:
        try:
            return await pool.sign("release", [DIGEST])
        except Unavailable:
            await asyncio.sleep(0.02)


async def until_failing(pool: Signers) -> None:
    while True:
        await pool.sign("release", [DIGEST])
        await asyncio.sleep(0.01)


def test_signers_killed_under_load_cost_no_request(token: Token, pools: Pools) -> None:
    key = next(key for key in token.keys if key.name == "release")

    async def body(pool: Signers) -> None:
        async def client() -> None:
            for _ in range(12):
                for signature in await pool.sign("release", [DIGEST] * 8):
                    check_raw(key, signature, b"artifact")

        for _ in range(2):
            load = asyncio.gather(*(client() for _ in range(6)))
            await pool.sign("release", [DIGEST])
            os.kill(pool.pids[0], signal.SIGKILL)
            await load
            await pool.whole()
        assert pool.alive == 2
        assert pool.generation == 4

    pools.run(token, body)


def test_the_only_signer_killed_comes_back_with_what_waited(token: Token, pools: Pools) -> None:
    async def body(pool: Signers) -> None:
        (pid,) = pool.pids
        waiting = asyncio.ensure_future(pool.sign("release", [DIGEST] * 200))
        await asyncio.sleep(0)
        os.kill(pid, signal.SIGKILL)
        assert len(await waiting) == 200
        assert pool.pids != (pid,)

    pools.run(token, body, workers=1)


def test_a_silent_signer_is_replaced(token: Token, pools: Pools, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hsmpub.hsm.crew._SILENT_SECONDS", 0.4)

    async def body(pool: Signers) -> None:
        (pid,) = pool.pids
        os.kill(pid, signal.SIGSTOP)
        assert len(await pool.sign("release", [DIGEST])) == 1
        assert pool.pids != (pid,)

    pools.run(token, body, workers=1)


def test_what_waits_for_a_signer_that_hangs_goes_to_another(token: Token, pools: Pools) -> None:
    async def body(pool: Signers) -> None:
        os.kill(pool.pids[0], signal.SIGSTOP)
        stuck = asyncio.ensure_future(pool.sign("release", [DIGEST]))
        await asyncio.sleep(0.01)
        try:
            async with asyncio.timeout(20):  # it is replaced after longer, and nobody is to wait so long
                for _ in range(20):
                    assert len(await pool.sign("release", [DIGEST])) == 1
            assert not stuck.done()
            assert pool.generation == 2
        finally:
            os.kill(pool.pids[0], signal.SIGCONT)
        assert len(await stuck) == 1

    pools.run(token, body)


def test_a_vanished_token_is_named_at_once_and_its_return_heals(own_token: Token, pools: Pools) -> None:
    away = own_token.home / "away"

    async def body(pool: Signers) -> None:
        assert await pool.sign("release", [DIGEST])
        own_token.tokens.rename(away)
        for _ in range(3):
            with pytest.raises(TokenGone):
                await pool.sign("release", [DIGEST])
        assert "ok" not in (await pool.self_test()).values()
        away.rename(own_token.tokens)
        assert await until_signing(pool)
        await pool.whole()
        assert await pool.self_test() == {key.name: "ok" for key in own_token.keys}

    pools.run(own_token, body)
    assert not pools.alarms


def test_a_vanished_token_fails_a_whole_batch_and_every_client(own_token: Token, pools: Pools) -> None:
    async def body(pool: Signers) -> None:
        own_token.tokens.rename(own_token.home / "away")
        requests = [pool.sign("release", [DIGEST] * 40), *(pool.sign("log", [b"m"], hash="none") for _ in range(9))]
        for outcome in await asyncio.gather(*requests, return_exceptions=True):
            assert isinstance(outcome, TokenGone)

    pools.run(own_token, body)


def test_starting_without_the_token_says_so(own_token: Token, pools: Pools) -> None:
    own_token.tokens.rename(own_token.home / "away")
    with pytest.raises(TokenGone):
        pools.run(own_token, until_signing)  # type: ignore[arg-type]
    assert not pools.alarms


def test_a_wrong_pin_raises_the_alarm_and_is_tried_once(token: Token, pools: Pools) -> None:
    with pytest.raises(PinRefused):
        pools.run(token, until_signing, pin=b"not the pin of this token 1234567890")  # type: ignore[arg-type]
    assert len(pools.alarms) == 1
    assert "PIN" in pools.alarms[0]


CHANGE_PIN = """
from hsmpub.hsm.cryptoki import Cryptoki
from hsmpub.secret.page import SecretPage
def page(text):
    made = SecretPage(); made.take(bytearray(text)); return made
cryptoki = Cryptoki({module!r}); cryptoki.initialize()
cryptoki.init_pin({label!r}, page({so_pin!r}), page(b"another PIN of 32 characters 1234"))
"""


def test_a_pin_changed_behind_our_back_raises_the_alarm_at_the_next_login(own_token: Token, pools: Pools) -> None:
    async def body(pool: Signers) -> None:
        own_token.script(
            CHANGE_PIN.format(module=own_token.hsm.module, label=own_token.hsm.token, so_pin=own_token.so_pin)
        )
        os.kill(pool.pids[0], signal.SIGKILL)
        with pytest.raises(PinRefused):
            await until_failing(pool)
        assert pool.alive == 0
        with pytest.raises(PinRefused):
            await pool.sign("release", [DIGEST])

    pools.run(own_token, body, workers=1)
    assert len(pools.alarms) == 1


def test_never_gives_away_a_signature_of_another_key(token: Token, pools: Pools) -> None:
    """As after a stale handle, or a key replaced in the token: the pinned public key is the judge."""
    pinned = {key.name: key for key in token.keys}
    other = pools_public_key(token)
    keys = [replace(pinned["release"], public=other), pinned["log"]]

    async def body(pool: Signers) -> None:
        with pytest.raises(SignatureNotVerified):
            await pool.sign("release", [DIGEST] * 3)
        await pool.whole()
        assert (await pool.self_test())["release"] != "ok"
        assert await pool.sign("log", [b"message"], hash="none")

    pools.run(token, body, keys=keys)
    assert any("release" in alarm for alarm in pools.alarms)


def pools_public_key(token: Token) -> str:
    """Some other P-256 public key."""
    from hsmpub.hsm.birth import bear_keys
    from hsmpub.hsm.config import KeySpec

    return bear_keys(token.hsm.module, [KeySpec("other", "p256")], bytearray(32))[0].public_pem


SWAP_LABELS = """
session = open_token(rw=True)
curve = session.create_domain_parameters(KeyType.EC, {
    Attribute.EC_PARAMS: bytes.fromhex("06082a8648ce3d030107")}, local=True)
find(session, "release", ObjectClass.PRIVATE_KEY).destroy()
curve.generate_keypair(store=True, label="release", capabilities=MechanismFlag.SIGN)
"""


def test_a_key_replaced_in_the_token_signs_nothing(own_token: Token, pools: Pools) -> None:
    async def body(pool: Signers) -> None:
        assert await pool.sign("release", [DIGEST])
        own_token.script(SWAP_LABELS)
        with pytest.raises((SignatureNotVerified, Unavailable)):
            await until_failing(pool)
        with pytest.raises(SignatureNotVerified):
            await until_signing(pool)

    pools.run(own_token, body)
    assert pools.alarms


def test_a_registered_key_that_is_missing_harms_no_other(token: Token, pools: Pools) -> None:
    keys = [*token.keys, replace(token.keys[0], name="lost")]

    async def body(pool: Signers) -> None:
        outcomes = await asyncio.gather(
            pool.sign("lost", [DIGEST] * 3),
            *(pool.sign("release", [DIGEST]) for _ in range(8)),
            return_exceptions=True,
        )
        assert isinstance(outcomes[0], KeyMissing)
        assert all(isinstance(outcome, list) for outcome in outcomes[1:])
        assert "lost" in (await pool.self_test())["lost"]
        assert pool.generation == 1

    pools.run(token, body, keys=keys, workers=1)


def test_many_start_and_log_in_at_once_under_the_lock(token: Token) -> None:
    async def one() -> None:
        pool = await Signers.start(token.hsm, token.keys, token.page(), workers=2, on_alarm=print)
        try:
            assert await pool.sign("release", [DIGEST] * 4)
        finally:
            pool.close()

    async def main() -> None:
        await asyncio.gather(*(one() for _ in range(4)))

    asyncio.run(main())


def test_waiting_for_a_pool_that_closes_ends(token: Token, pools: Pools) -> None:
    async def body(pool: Signers) -> None:
        os.kill(pool.pids[0], signal.SIGKILL)
        await pool.sign("release", [DIGEST])
        pool.close()
        with pytest.raises(SignersClosed):
            await pool.whole()

    pools.run(token, body)
