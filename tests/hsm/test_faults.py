"""The module fails in every way that a module can: the signers recover or refuse, and nothing wrong is released."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from faulty import DEVICE_ERROR, DEVICE_GONE, GENERAL, NO_MEMORY, SESSION_GONE, STALE_HANDLE
from verify_raw import check_raw

from hsmpub.errors import HsmpubError, Unavailable
from hsmpub.hsm.birth import bear_keys
from hsmpub.hsm.config import KeySpec
from hsmpub.hsm.custody import import_keys
from hsmpub.hsm.pool import Signers
from hsmpub.hsm.rules import (
    HsmFailed,
    PinLocked,
    PinRefused,
    SessionsExhausted,
    SignatureNotVerified,
    SignerLost,
)
from hsmpub.hsm.signer import TokenSigner
from hsmpub.hsm.token import change_pin, new_pin, reset_pin
from hsmpub.model.key import KeyRecord
from hsmpub.secret.box import seal_box

if TYPE_CHECKING:
    from conftest import Pools, Token
    from faulty import Faults

DIGEST = hashlib.sha256(b"artifact").digest()


async def until_signing(pool: Signers) -> list[bytes]:
    """Tries until the pool signs again; the caller's time limit ends it."""
    while True:
        try:
            return await pool.sign("release", [DIGEST])
        except Unavailable:
            await asyncio.sleep(0.02)


async def outcome(pool: Signers, items: int = 1) -> list[bytes] | HsmpubError:
    try:
        return await pool.sign("release", [DIGEST] * items)
    except HsmpubError as error:
        return error


async def until(pool: Signers, rule: type[HsmpubError]) -> None:
    """Tries until it is refused by this rule; the caller's time limit ends it."""
    while True:
        if isinstance(await outcome(pool), rule):
            return
        await asyncio.sleep(0.02)


async def seal_something(pool: Signers) -> bytes:
    intake = X25519PrivateKey.generate()
    box = seal_box(intake.public_key().public_bytes_raw(), b"intake", b"credential")
    return await pool.seal_secret(box, private=intake.private_bytes_raw(), info=b"intake", aad=b"")


# --- signatures ---


@pytest.mark.parametrize("status", [SESSION_GONE, DEVICE_GONE, DEVICE_ERROR, NO_MEMORY, STALE_HANDLE, GENERAL])
def test_sessions_that_die_are_replaced(faulty: Token, faults: Faults, pools: Pools, status: int) -> None:
    async def body(pool: Signers) -> None:
        faults.are(sign_after=3, sign_status=status)
        for made in [await outcome(pool) for _ in range(6)]:
            if isinstance(made, list):
                check_raw(faulty.keys[0], made[0], b"artifact")
            else:
                assert isinstance(made, Unavailable)
        faults.are()
        check_raw(faulty.keys[0], (await until_signing(pool))[0], b"artifact")
        await pool.whole()
        assert pool.generation > 2

    pools.run(faulty, body)
    assert not pools.alarms


def test_a_stale_handle_is_looked_up_anew(faulty: Token, faults: Faults, pools: Pools) -> None:
    async def body(pool: Signers) -> None:
        faults.are(init_status=STALE_HANDLE)
        assert isinstance(await outcome(pool), Unavailable)
        faults.are()
        assert await until_signing(pool)

    pools.run(faulty, body, workers=1)


def test_a_wrong_signature_without_an_error_never_leaves(faulty: Token, faults: Faults, pools: Pools) -> None:
    async def body(pool: Signers) -> None:
        faults.are(sign_wrong=1)
        for key, item, form in (
            ("release", DIGEST, "sha256"),
            ("release-openpgp", DIGEST, "sha256"),
            ("log", b"m", "none"),
        ):
            with pytest.raises(SignatureNotVerified):
                await pool.sign(key, [item] * 3, hash=form)  # type: ignore[arg-type]
            await pool.whole()
        faults.are()
        assert await until_signing(pool)

    pools.run(faulty, body)
    assert len(pools.alarms) == 3


def test_one_wrong_signature_spoils_its_batch(faulty: Token, faults: Faults, pools: Pools) -> None:
    async def body(pool: Signers) -> None:
        faults.are(sign_wrong=1, sign_after=5)
        with pytest.raises(SignatureNotVerified):
            await pool.sign("release", [DIGEST] * 8)

    pools.run(faulty, body, workers=1)


def test_a_handle_that_signs_with_another_key_is_found_out(faulty: Token, faults: Faults, pools: Pools) -> None:
    wrapping_key = bytearray(32)
    [other] = bear_keys(faulty.hsm.module, [KeySpec("other", "p256")], wrapping_key)
    import_keys(faulty.hsm, faulty.pin, [other], wrapping_key)
    keys = [faulty.keys[0], KeyRecord(other.name, other.kind, other.public_pem, 0)]

    async def body(pool: Signers) -> None:
        for key in keys:
            assert await pool.sign(key.name, [DIGEST])
        faults.are(init_swap=1)
        for key in keys:
            with pytest.raises(SignatureNotVerified):
                await pool.sign(key.name, [DIGEST])
            await pool.whole()

    pools.run(faulty, body, keys=keys)
    assert len(pools.alarms) == 2


def test_a_crash_in_the_module_harms_the_request_alone(faulty: Token, faults: Faults, pools: Pools) -> None:
    async def body(pool: Signers) -> None:
        faults.are(sign_crash=1)
        assert isinstance(await outcome(pool, 3), SignerLost)
        faults.are()
        assert await until_signing(pool)
        await pool.whole()
        assert set((await pool.self_test()).values()) == {"ok"}

    pools.run(faulty, body)
    assert not pools.alarms


def test_a_module_that_hangs_is_given_up(
    faulty: Token, faults: Faults, pools: Pools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hsmpub.hsm.crew._SILENT_SECONDS", 0.4)

    async def body(pool: Signers) -> None:
        faults.are(sign_sleep=60_000)
        assert isinstance(await outcome(pool), SignerLost)
        faults.are(sign_sleep=100)  # slow is no fault
        assert await until_signing(pool)

    pools.run(faulty, body, workers=1)


# --- PINs ---


def test_a_refused_pin_is_tried_once_by_all_processes_together(faulty: Token, faults: Faults, pools: Pools) -> None:
    async def body(pool: Signers) -> None:
        reset_pin(faulty.hsm, so_pin=faulty.so_pin, pin=b"another PIN of 32 characters 1234")
        before = faults.logins
        for pid in pool.pids:
            os.kill(pid, signal.SIGKILL)
        sealings = await asyncio.gather(*(seal_something(pool) for _ in range(4)), return_exceptions=True)
        assert all(isinstance(one, PinRefused) for one in sealings)
        await until(pool, PinRefused)
        assert faults.logins - before == 1

    pools.run(faulty, body)
    assert pools.alarms


def test_a_new_quorum_may_try_its_pin_after_a_refusal(faulty: Token, faults: Faults, pools: Pools) -> None:
    async def body(pool: Signers) -> None:
        assert await pool.sign("release", [DIGEST])
        assert await seal_something(pool)

    for _ in range(2):
        with pytest.raises(PinRefused):
            pools.run(faulty, body, pin=b"not the PIN of this token")
    assert faults.logins == 2
    pools.run(faulty, body)


def test_a_locked_token_says_so_and_the_officer_opens_it_again(faulty: Token, faults: Faults, pools: Pools) -> None:
    async def body(pool: Signers) -> None:
        raise AssertionError("the token is locked")

    faults.are(lock_after=2)
    for _ in range(2):
        with pytest.raises(PinRefused):
            TokenSigner(faulty.hsm, new_pin())
    with pytest.raises(PinLocked, match="locked its PIN") as refusal:
        pools.run(faulty, body)
    assert "SO PIN" in refusal.value.next_step
    assert faults.logins == 3
    (faulty.tokens / "wrong").unlink()  # as C_InitPIN does in a token that counts by itself
    pin = new_pin()
    reset_pin(faulty.hsm, so_pin=faulty.so_pin, pin=pin)
    with TokenSigner(faulty.hsm, pin) as signer:
        assert signer.sign("release", DIGEST)


def test_a_module_that_fails_at_login_is_tried_once_for_one_quorum(faulty: Token, faults: Faults, pools: Pools) -> None:
    async def body(pool: Signers) -> None:
        raise AssertionError("nobody is logged in")

    faults.are(login_status=GENERAL)
    with pytest.raises(HsmFailed):
        pools.run(faulty, body)
    assert faults.logins == 1
    assert not pools.alarms


def test_signers_come_back_after_a_module_that_failed_at_login(faulty: Token, faults: Faults, pools: Pools) -> None:
    async def body(pool: Signers) -> None:
        faults.are(login_status=GENERAL)
        os.kill(pool.pids[0], signal.SIGKILL)
        await until(pool, HsmFailed)
        faults.are()
        assert await until_signing(pool)

    pools.run(faulty, body, workers=1)
    assert not pools.alarms


def test_changing_the_pin_leaves_signers_at_work_and_may_be_done_again(faulty: Token, pools: Pools) -> None:
    new = new_pin()

    async def body(pool: Signers) -> None:
        assert change_pin(faulty.hsm, old=faulty.pin, new=new)
        assert await pool.sign("release", [DIGEST])
        assert not change_pin(faulty.hsm, old=faulty.pin, new=new)

    pools.run(faulty, body, workers=1)
    pools.run(faulty, lambda pool: pool.whole(), workers=1, pin=bytes(new))
    with pytest.raises(PinRefused):
        TokenSigner(faulty.hsm, faulty.pin)


def test_a_locked_token_is_not_asked_to_change_its_pin_twice(faulty: Token, faults: Faults) -> None:
    faults.are(login_status=0xA4)
    with pytest.raises(PinLocked):
        change_pin(faulty.hsm, old=faulty.pin, new=new_pin())
    assert faults.logins == 1


# --- few sessions ---


def test_a_token_with_few_sessions_gets_fewer_signers_and_keeps_one_for_vaults(
    faulty: Token, faults: Faults, pools: Pools
) -> None:
    faults.are(sessions=3)

    async def body(pool: Signers) -> None:
        assert pool.alive == 2
        assert pool.fewer == "the token has sessions for 2 of 4 signers"
        await pool.whole()
        assert len(await pool.sign("release", [DIGEST] * 20)) == 20
        assert await seal_something(pool)

    pools.run(faulty, body, workers=4)


def test_one_session_is_enough_to_sign(faulty: Token, faults: Faults, pools: Pools) -> None:
    faults.are(sessions=1)

    async def body(pool: Signers) -> None:
        assert pool.alive == 1
        assert await pool.sign("release", [DIGEST])
        with pytest.raises(SessionsExhausted):
            await seal_something(pool)
        assert await pool.sign("release", [DIGEST])

    pools.run(faulty, body)


def test_no_session_left_is_named(faulty: Token, faults: Faults, pools: Pools) -> None:
    faults.are(sessions=1)
    with TokenSigner(faulty.hsm, faulty.pin), pytest.raises(SessionsExhausted):
        pools.run(faulty, lambda pool: pool.whole())
