"""A drill through the keeper: dated evidence, sealed or not; the status says when one is due and who has left."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from keeping import LOG_KEY, Kept, kept, roster

from hsmpub.approval.roster import load_roster
from hsmpub.keeper.attempts import ATTEMPT_SECONDS, AttemptOver
from hsmpub.keeper.quorum_watch import departed_holders
from hsmpub.model import entry as e
from hsmpub.model.trust import Trust
from hsmpub.shares.drill import box_for_drill
from hsmpub.shares.gathering import ShareAlreadyHandedIn, ShareBoxUnreadable
from hsmpub.shares.record import HolderRecord
from hsmpub.tlog.rules import LogUnavailable
from hsmpub.transcript.check import check_transcript
from hsmpub.transcript.record import Transcript
from hsmpub.transcript.shelf import EvidenceNotWritten
from hsmpub.wire import messages as m
from tests.shares.shares_of import Holders, make_holders

KEEPER = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
DAY = 86_400
NAMES = ("holder-4", "holder-1", "holder-2")


@pytest.fixture(scope="module")
def holders() -> Holders:
    return make_holders()


@pytest.fixture
def keeper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, holders: Holders) -> Iterator[Kept]:
    with kept(tmp_path, monkeypatch, record=holders.record, identity=KEEPER) as made:
        yield made


async def attempt(keeper: Kept) -> m.DrillReply:
    found = await keeper.call(m.GetDrill("unseal"))
    assert isinstance(found, m.DrillReply)
    return found


async def hand_in(keeper: Kept, holders: Holders, name: str, found: m.DrillReply | None = None) -> m.DrillHandInReply:
    found = found or await attempt(keeper)
    public = KEEPER.public_key().public_bytes_raw()
    box = box_for_drill(holders.files[name], holders.identities[name], found, name, public, "unseal")
    reply = await keeper.call(m.HandInDrill("unseal", found.attempt, name, box))
    assert isinstance(reply, m.DrillHandInReply)
    return reply


async def drill(keeper: Kept, holders: Holders) -> m.DrillHandInReply:
    for name in NAMES:
        reply = await hand_in(keeper, holders, name)
    return reply


async def status(keeper: Kept) -> m.StatusReply:
    reply = await keeper.call(m.GetStatus())
    assert isinstance(reply, m.StatusReply)
    return reply


def evidence(keeper: Kept, reply: m.DrillHandInReply) -> Transcript:
    data = (keeper.folder / reply.evidence).read_bytes()
    entry = keeper.entries()[reply.entry]
    assert isinstance(entry, e.Drilled)
    assert entry.transcript_sha256 == hashlib.sha256(data).hexdigest()
    trust = Trust("keeper.example", str(LOG_KEY), KEEPER.public_key().public_bytes_raw().hex(), ())
    return check_transcript(data, trust)


def test_a_drill_of_a_sealed_service_leaves_evidence_and_leaves_it_sealed(keeper: Kept, holders: Holders) -> None:
    async def scenario() -> None:
        reply = await drill(keeper, holders)
        assert reply.proven == ("secret", "PIN")
        assert not keeper.keeper.unsealing.is_unsealed
        assert keeper.kinds()[-1] == "Drilled"
        assert "ShareHandedIn" not in keeper.kinds()
        transcript = evidence(keeper, reply)
        assert [seal.signer for seal in transcript.seals] == ["keeper"]
        assert [step.what for step in transcript.steps] == ["drill", *["drill share"] * 3, "proven"]
        assert transcript.facts("proven")["holders"] == list(NAMES)
        [view] = [view for view in (await status(keeper)).quorums if view.quorum == "unseal"]
        assert view.drilled_at == keeper.entries()[reply.entry].at

    asyncio.run(scenario())


def test_the_evidence_of_an_unsealed_service_is_signed_by_the_log_key_too(keeper: Kept, holders: Holders) -> None:
    async def scenario() -> None:
        await keeper.unseal()
        reply = await drill(keeper, holders)
        assert sorted(seal.signer for seal in evidence(keeper, reply).seals) == ["keeper", "log"]
        second = await drill(keeper, holders)
        assert second.evidence == "ceremonies/drill-2-unseal/transcript.json"
        assert keeper.keeper.unsealing.is_unsealed

    asyncio.run(scenario())


def test_a_drill_whose_time_is_over_forgets_and_a_refused_share_changes_nothing(keeper: Kept, holders: Holders) -> None:
    async def scenario() -> None:
        old = await attempt(keeper)
        await hand_in(keeper, holders, "holder-1")
        with pytest.raises(ShareAlreadyHandedIn):
            await hand_in(keeper, holders, "holder-1")
        with pytest.raises(ShareBoxUnreadable):
            await keeper.call(m.HandInDrill("unseal", old.attempt, "holder-2", b"no box"))
        assert (await attempt(keeper)).accepted == ("holder-1",)
        keeper.offset = ATTEMPT_SECONDS + 1
        with pytest.raises(AttemptOver):
            await hand_in(keeper, holders, "holder-2", old)
        assert (await attempt(keeper)).accepted == ()
        await keeper.keeper.drilling.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("trouble", ["the log refuses", "the folder is gone"])
def test_a_drill_without_its_evidence_has_not_happened(keeper: Kept, holders: Holders, trouble: str) -> None:
    async def scenario() -> None:
        if trouble == "the log refuses":
            keeper.store.refuse = "drill"
        else:
            keeper.home.ceremonies.rmdir()
        with pytest.raises((LogUnavailable, EvidenceNotWritten)):
            await drill(keeper, holders)
        assert "Drilled" not in keeper.kinds()
        keeper.store.refuse = ""
        keeper.home.ceremonies.mkdir(exist_ok=True)
        assert list(keeper.home.ceremonies.iterdir()) == []
        assert (await drill(keeper, holders)).evidence == "ceremonies/drill-1-unseal/transcript.json"

    asyncio.run(scenario())


def test_a_stale_drill_is_warned_of_until_the_quorum_shows_itself(keeper: Kept, holders: Holders) -> None:
    async def stale() -> set[str]:
        said = await status(keeper)
        views = [view for view in said.quorums if view.is_stale]
        assert said.counters["hsmpub_drills_stale"] == len(views)
        assert sum("hold a drill" in warning for warning in said.warnings) == len(views)
        return {view.quorum for view in views}

    async def scenario() -> None:
        keeper.keeper.book.state.quorums.began = dict.fromkeys(("unseal", "recovery"), keeper.now())
        assert await stale() == set()
        keeper.offset = 181 * DAY
        assert await stale() == {"unseal", "recovery"}
        await drill(keeper, holders)
        assert await stale() == {"recovery"}
        [view] = [view for view in (await status(keeper)).quorums if view.quorum == "unseal"]
        assert view.unseen == ("holder-3", "holder-5")
        asked = await keeper.ask_policy(keeper.policy + '[ceremonies]\ndrill = "10d"\n')
        await keeper.approve(asked, "release-manager", "security-officer")
        await keeper.settle()
        keeper.offset += 11 * DAY
        assert await stale() == {"unseal", "recovery"}

    asyncio.run(scenario())


def test_a_holder_who_is_revoked_is_named_by_name_or_by_key(keeper: Kept) -> None:
    people = load_roster(roster(revoked=["sdk-lead"]))
    line = people.persons["sdk-lead"].keys[0]

    def holder(name: str, recipient: str) -> HolderRecord:
        return HolderRecord(name=name, index=0, commitment="", recipient=recipient, fingerprint="")

    holders = (holder("sdk-lead", "age1x"), holder("holder-2", line), holder("second-lead", "age1y"))
    assert departed_holders(holders, people) == ("sdk-lead", "holder-2")
    assert departed_holders(holders, load_roster(roster())) == ()

    async def scenario() -> None:
        record = keeper.keeper.unsealing.record
        first, *others = record.holders
        moved = (msgspec.structs.replace(first, recipient=line), *others)
        keeper.keeper.confirming.in_force["unseal"] = msgspec.structs.replace(record, holders=moved)
        await keeper.adopt_roster(roster(revoked=["sdk-lead"]))
        said = await status(keeper)
        assert "unseal quorum: holder-1 has left and still holds a share; make new shares" in said.warnings
        assert said.counters["hsmpub_holders_departed"] == 1

    asyncio.run(scenario())
