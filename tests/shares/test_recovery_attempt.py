"""The recovery quorum: boxes that only its holders open, together."""

from __future__ import annotations

import asyncio

import msgspec
import pyrage
import pytest

from hsmpub.secret.page import SecretPage
from hsmpub.shares.attempt import RecoveryAttempt
from hsmpub.shares.identity import IdentityUnusable, ShareFileOfAnother
from hsmpub.shares.plan import HolderKey, one_group
from hsmpub.shares.record import RecoveryRecord
from hsmpub.shares.record_file import dump_record, load_recovery_record
from hsmpub.shares.recovery import RecoveryBoxAltered, seal_for_recovery
from hsmpub.shares.split import NewRecovery, split_recovery

WRAPPING, IDENTITY = bytearray(b"w" * 32), bytearray(b"i" * 32)


@pytest.fixture(scope="module")
def keys() -> dict[str, pyrage.x25519.Identity]:
    return {f"recovery-{n}": pyrage.x25519.Identity.generate() for n in (1, 2, 3)}


@pytest.fixture(scope="module")
def split(keys: dict[str, pyrage.x25519.Identity]) -> NewRecovery:
    return split_recovery(one_group(2, [HolderKey(name, str(key.to_public())) for name, key in keys.items()]), epoch=1)


@pytest.fixture(scope="module")
def record(split: NewRecovery) -> RecoveryRecord:
    return split.record(
        wrapping_key_box=seal_for_recovery(split.public_key, 1, "wrapping key", WRAPPING),
        so_pin_box=seal_for_recovery(split.public_key, 1, "SO PIN", bytearray(b"0" * 40)),
        identity_box=seal_for_recovery(split.public_key, 1, "keeper identity", IDENTITY),
        wrapped=[],
    )


def test_two_of_three_open_wrapping_key_and_identity(
    keys: dict[str, pyrage.x25519.Identity], split: NewRecovery, record: RecoveryRecord
) -> None:
    assert load_recovery_record(dump_record(record)) == record

    async def scenario() -> None:
        attempt = await RecoveryAttempt.start(record, now=0, lifetime=60)
        first, second = (bytearray(str(keys[f"recovery-{n}"]), "ascii") for n in (1, 3))
        with pytest.raises(ShareFileOfAnother):
            await attempt.hand_in_file("recovery-1", split.files["recovery-1"], second)
        with pytest.raises(IdentityUnusable):
            await attempt.hand_in_file("recovery-1", split.files["recovery-1"], bytearray(b"no key"))
        await attempt.hand_in_file("recovery-1", split.files["recovery-1"], first)
        words = pyrage.decrypt(split.files["recovery-3"], [keys["recovery-3"]])
        await attempt.hand_in_file("recovery-3", words, bytearray())
        with SecretPage() as wrapping, SecretPage() as identity:
            await attempt.take_keys(wrapping, identity)
            assert (wrapping.view, identity.view) == (WRAPPING, IDENTITY)
        await attempt.close()

    asyncio.run(scenario())


def test_a_swapped_box_is_noticed(
    keys: dict[str, pyrage.x25519.Identity], split: NewRecovery, record: RecoveryRecord
) -> None:
    altered = msgspec.structs.replace(record, wrapping_key_box=record.identity_box)

    async def scenario() -> None:
        attempt = await RecoveryAttempt.start(altered, now=0, lifetime=60)
        own = {name: bytearray(str(key), "ascii") for name, key in keys.items()}
        await attempt.hand_in_file("recovery-1", split.files["recovery-1"], own["recovery-1"])
        with pytest.raises(RecoveryBoxAltered):
            await attempt.hand_in_file("recovery-2", split.files["recovery-2"], own["recovery-2"])
        await attempt.close()

    asyncio.run(scenario())
