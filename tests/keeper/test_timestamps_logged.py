"""Timestamps and the log: none leaves before its entry is durable; after a restart none is before the last."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from asn1crypto import tsp
from cryptography.x509.oid import ExtendedKeyUsageOID
from keeping import CERTIFICATES, MORE_KEYS, Kept
from keeping import kept as keep

from hsmpub.formats.cms.timestamp_query import NO_TIME
from hsmpub.hsm.rules import TokenGone
from hsmpub.keeper.clock import ClockWentBack
from hsmpub.keeper.submitting import PolicyChanged
from hsmpub.model import entry as e
from hsmpub.model.fold import ServiceState
from hsmpub.tlog.rules import LogUnavailable
from hsmpub.wire import messages as m
from tests.formats.software_hsm import chain_of, private_key

POLICY = '[timestamping]\nkey = "time"\npolicy = "1.2.3.4"\nanybody = true\n'
IMPRINT = {"hash_algorithm": {"algorithm": "sha256"}, "hashed_message": bytes(32)}
QUERY = tsp.TimeStampReq({"version": "v1", "message_imprint": IMPRINT, "nonce": 7}).dump()


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    monkeypatch.setitem(MORE_KEYS, "time", (private_key("p256", 0), "p256", ("timestamp",)))
    monkeypatch.setitem(CERTIFICATES, "time", chain_of("p256", 0, ExtendedKeyUsageOID.TIME_STAMPING)[0])
    with keep(tmp_path, monkeypatch, policy=POLICY) as made:
        yield made


async def ask(kept: Kept) -> m.TimestampReply:
    reply = await kept.call(m.AskTimestamp(QUERY))
    assert isinstance(reply, m.TimestampReply)
    return reply


def test_a_timestamp_waits_for_the_disk_and_without_an_entry_there_is_none(authority: Kept) -> None:
    async def scenario() -> None:
        await authority.unseal()
        authority.store.hold = "timestamp"
        asked = asyncio.ensure_future(ask(authority))
        assert await asyncio.to_thread(authority.store.held.wait, 30)
        assert not (await asyncio.wait([asked], timeout=0.2))[0]
        authority.store.release()
        assert not (await asked).rule
        authority.store.refuse, size = "timestamp", authority.keeper.book.log.size
        with pytest.raises(LogUnavailable):
            await ask(authority)
        assert authority.keeper.book.log.size == size

    asyncio.run(scenario())


def test_an_hsm_that_is_away_gives_none(authority: Kept) -> None:
    async def away(_: str) -> None:
        raise TokenGone("The token is away.")

    async def scenario() -> None:
        await authority.unseal()
        authority.signers.before = away
        with pytest.raises(TokenGone):
            await ask(authority)
        authority.signers.before = None
        assert not (await ask(authority)).rule

    asyncio.run(scenario())


def test_after_a_restart_no_timestamp_is_earlier_than_the_last(authority: Kept) -> None:
    async def scenario() -> None:
        await authority.unseal()
        await ask(authority)
        [entry] = [entry for entry in authority.entries() if isinstance(entry, e.Timestamped)]
        assert authority.keeper.book.state.stamped_at == {"time": entry.gen_time}
        again = ServiceState()
        for index, one in enumerate(authority.entries()):
            again.apply(index, one)
        assert again.stamped_at == {"time": entry.gen_time}
        again.stamped_at["time"] += 3_600_000_000  # as a clock that was an hour ahead would have it
        authority.keeper.book.state.stamped_at = again.stamped_at
        refused = await ask(authority)
        assert refused.rule == ClockWentBack("").rule
        assert ClockWentBack.failure == NO_TIME

    asyncio.run(scenario())


def test_what_anybody_asks_for_keeps_no_idle_service_open(authority: Kept) -> None:
    async def scenario() -> None:
        await authority.unseal()
        await ask(authority)
        opened = authority.keeper.book.state.opened
        assert opened is not None
        assert (opened.signatures, opened.last_signature_at) == (0, 0)

    asyncio.run(scenario())


def test_a_timestamp_that_is_signed_while_the_policy_changes_is_not_given_out(authority: Kept) -> None:
    async def adopt(key: str) -> None:
        if key == "time":
            authority.signers.before = None
            view = await authority.ask_policy(authority.policy.replace(POLICY, ""))
            await authority.approve(view, "release-manager", "security-officer")
            await authority.see_as(view, "done")

    async def scenario() -> None:
        await authority.unseal()
        authority.signers.before = adopt
        with pytest.raises(PolicyChanged):
            await ask(authority)

    asyncio.run(scenario())
    assert "Timestamped" not in authority.kinds()
