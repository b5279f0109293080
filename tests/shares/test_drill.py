"""A drill shows that a quorum works, and releases nothing; what is handed in for one opens nothing else."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import msgspec
import pyrage
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from shares_of import Holders, box_of

from hsmpub.errors import HsmpubError
from hsmpub.secret.box import seal_box
from hsmpub.secret.page import SecretPage
from hsmpub.shares.attempt import AttemptExpired, UnsealAttempt
from hsmpub.shares.derive import PinBoxAltered
from hsmpub.shares.drill import DrillAttempt, box_for_drill, check_drill, drill_to_sign
from hsmpub.shares.gathering import DRILL_CONTEXT, EnoughShares, ShareBoxUnreadable, TooFewHolders
from hsmpub.shares.holder import AttemptNotOfKeeper, attempt_to_sign, box_for_attempt
from hsmpub.shares.plan import HolderKey, one_group
from hsmpub.shares.proving import BackupNotProven
from hsmpub.shares.record import Birth, RecoveryRecord, UnsealRecord, WrappedKey
from hsmpub.shares.recovery import RecoveryBoxAltered, birth_content, seal_for_recovery
from hsmpub.shares.slip39 import ShareOfAnotherEpoch
from hsmpub.shares.split import NewRecovery, split_recovery
from hsmpub.wire import messages as m

KEEPER = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
KEEPER_KEY = KEEPER.public_key().public_bytes_raw()
WRAPPING = bytearray(b"w" * 32)


def drill_box(words: bytes | bytearray, drill: DrillAttempt, holder: str) -> bytes:
    return seal_box(drill.key, DRILL_CONTEXT + drill.attempt + holder.encode(), words)


async def start(record: UnsealRecord | RecoveryRecord, lifetime: int = 60, keeper: bytes = KEEPER_KEY) -> DrillAttempt:
    return await DrillAttempt.start_drill(record, now=1_000, lifetime=lifetime, keeper_key=keeper)


async def drill(record: UnsealRecord | RecoveryRecord, words: dict[str, bytearray]) -> tuple[str, ...]:
    """All of them hand in; what was proven."""
    attempt = await start(record)
    try:
        for holder, share in words.items():
            await attempt.hand_in(holder, drill_box(share, attempt, holder))
        return attempt.proven()
    finally:
        await attempt.close()


def three(holders: Holders) -> dict[str, bytearray]:
    return {name: holders.words(name) for name in ("holder-5", "holder-1", "holder-3")}


def test_an_unseal_quorum_shows_that_it_opens_the_pin_and_nothing_is_released(holders: Holders) -> None:
    async def scenario() -> None:
        attempt = await start(holders.record)
        with SecretPage() as page:
            for holder, share in three(holders).items():
                with pytest.raises(TooFewHolders):
                    attempt.proven()
                await attempt.hand_in(holder, drill_box(share, attempt, holder))
            assert attempt.proven() == ("secret", "PIN")
            with pytest.raises(TooFewHolders):
                await attempt.take_keys(page)
        with pytest.raises(EnoughShares):
            await attempt.hand_in("holder-2", drill_box(holders.words("holder-2"), attempt, "holder-2"))
        await attempt.close()

    asyncio.run(scenario())


def test_a_drill_refuses_what_an_unseal_refuses(holders: Holders, other_holders: Holders) -> None:
    with pytest.raises(ShareOfAnotherEpoch):
        asyncio.run(drill(holders.record, {"holder-1": other_holders.words("holder-1")}))
    altered = msgspec.structs.replace(holders.record, pin_box=holders.record.pin_box[:-2] + "00")
    with pytest.raises(PinBoxAltered):
        asyncio.run(drill(altered, three(holders)))


def test_a_box_for_a_drill_unseals_nothing_and_an_unseal_box_is_no_drill(holders: Holders) -> None:
    words = holders.words("holder-1")

    async def scenario() -> None:
        attempt, unsealing = await start(holders.record), await UnsealAttempt.start(holders.record, now=0, lifetime=60)
        try:
            with pytest.raises(ShareBoxUnreadable):
                await attempt.hand_in("holder-1", box_of(words, attempt.attempt, attempt.key, "holder-1"))
            box = seal_box(unsealing.key, DRILL_CONTEXT + unsealing.attempt + b"holder-1", words)
            with pytest.raises(ShareBoxUnreadable):
                await unsealing.hand_in("holder-1", box)
            assert (attempt.accepted, unsealing.accepted) == ((), ())
        finally:
            await attempt.close()
            await unsealing.close()

    asyncio.run(scenario())


def announced(quorum: m.QuorumName, to_sign: bytes) -> m.DrillReply:
    return m.DrillReply(quorum=quorum, attempt=b"a" * 16, key=b"\x09" * 32, signature=KEEPER.sign(to_sign),
                        keeper_key=KEEPER_KEY, epoch=1, threshold=3, holders=(), accepted=(), expires_at=9,
                        group_threshold=1, groups=())  # fmt: skip


def test_a_holder_who_means_a_drill_gives_nothing_to_another_attempt(holders: Holders) -> None:
    share, identity = holders.files["holder-1"], holders.identities["holder-1"]
    good = announced("unseal", drill_to_sign("unseal", b"a" * 16, b"\x09" * 32, 9))
    check_drill(good, KEEPER_KEY, "unseal")
    unseal_attempt = announced("unseal", attempt_to_sign(b"a" * 16, b"\x09" * 32, 9))
    other_quorum = announced("unseal", drill_to_sign("recovery", b"a" * 16, b"\x09" * 32, 9))
    for bad in (unseal_attempt, other_quorum, msgspec.structs.replace(good, expires_at=10)):
        with pytest.raises(AttemptNotOfKeeper):
            box_for_drill(share, identity, bad, "holder-1", KEEPER_KEY, "unseal")
    with pytest.raises(AttemptNotOfKeeper):
        box_for_drill(share, identity, good, "holder-1", KEEPER_KEY, "recovery")
    shown_as = {name: getattr(good, name) for name in m.DrillReply.__struct_fields__ if name != "quorum"}
    with pytest.raises(AttemptNotOfKeeper):
        box_for_attempt(share, identity, m.AttemptReply(**shown_as), "holder-1", KEEPER_KEY)


def test_a_drill_ends_with_its_time(holders: Holders) -> None:
    async def scenario() -> None:
        attempt = await start(holders.record)
        attempt._deadline = 0
        with pytest.raises(AttemptExpired):
            await attempt.hand_in("holder-1", drill_box(holders.words("holder-1"), attempt, "holder-1"))
        await attempt.close()

    asyncio.run(scenario())


@dataclass(frozen=True)
class Recovery:
    """A recovery quorum, two of three, over one key that was wrapped."""

    record: RecoveryRecord
    split: NewRecovery
    words: dict[str, bytearray]


@pytest.fixture(scope="module")
def recovery() -> Recovery:
    keys = {f"recovery-{n}": pyrage.x25519.Identity.generate() for n in (1, 2, 3)}
    split = split_recovery(one_group(2, [HolderKey(name, str(key.to_public())) for name, key in keys.items()]), epoch=1)
    key = ec.generate_private_key(ec.SECP256R1())
    pkcs8 = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def wrapped(data: bytes) -> str:
        return aes_key_wrap_with_padding(bytes(WRAPPING), data).hex()

    record = split.record(
        wrapping_key_box=seal_for_recovery(split.public_key, 1, "wrapping key", WRAPPING),
        so_pin_box=seal_for_recovery(split.public_key, 1, "SO PIN", bytearray(b"0" * 40)),
        identity_box=seal_for_recovery(split.public_key, 1, "keeper identity", bytearray(b"k" * 32)),
        wrapped=[
            WrappedKey(name="release", kind="p256", public=public, wrapped=wrapped(pkcs8 + bytes(3))),
            WrappedKey(name="sealing", kind="aes256", public="", wrapped=wrapped(b"s" * 32)),
        ],
    )
    words = {name: bytearray(pyrage.decrypt(split.files[name], [keys[name]]).strip()) for name in list(keys)[:2]}
    return Recovery(record, split, words)


def test_a_recovery_quorum_shows_that_every_key_would_come_back(recovery: Recovery) -> None:
    proven = asyncio.run(drill(recovery.record, recovery.words))
    assert proven == ("secret", "wrapping key", "SO PIN", "keeper identity", "key release", "key sealing")


def test_the_keys_of_later_births_are_proven_too(recovery: Recovery) -> None:
    release, _ = recovery.record.wrapped
    later = msgspec.structs.replace(release, name="release-2027")
    box = seal_for_recovery(recovery.split.public_key, 1, birth_content(4), WRAPPING)
    born = Birth(number=4, wrapping_key_box=box, wrapped=(later,))
    record = msgspec.structs.replace(recovery.record, births=(born,))
    proven = asyncio.run(drill(record, recovery.words))
    assert {"wrapping key of birth 4", "key release-2027"} <= set(proven)
    wrong = seal_for_recovery(recovery.split.public_key, 1, birth_content(4), bytearray(b"x" * 32))
    for births, rule in (
        (msgspec.structs.replace(born, wrapping_key_box=wrong), BackupNotProven),
        (msgspec.structs.replace(born, number=5), RecoveryBoxAltered),
    ):
        with pytest.raises(rule):
            asyncio.run(drill(msgspec.structs.replace(record, births=(births,)), recovery.words))


def test_a_backup_that_would_not_restore_this_service_fails_the_drill(recovery: Recovery) -> None:
    record, public = recovery.record, recovery.split.public_key
    release, sealing = record.wrapped

    def refuses(rule: type[HsmpubError], **changes: object) -> None:
        with pytest.raises(rule):
            asyncio.run(drill(msgspec.structs.replace(record, **changes), recovery.words))

    refuses(BackupNotProven, identity_box=seal_for_recovery(public, 1, "keeper identity", bytearray(b"x" * 32)))
    refuses(BackupNotProven, wrapping_key_box=seal_for_recovery(public, 1, "wrapping key", bytearray(b"x" * 32)))
    refuses(RecoveryBoxAltered, so_pin_box=record.identity_box)
    swapped = msgspec.structs.replace(release, wrapped=sealing.wrapped)
    refuses(BackupNotProven, wrapped=(swapped, sealing))
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    pem = other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    refuses(BackupNotProven, wrapped=(msgspec.structs.replace(release, public=pem), sealing))
