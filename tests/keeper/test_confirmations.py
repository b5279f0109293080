"""Holders confirm a new set to the running service; the status names who has not, what waits and who has left."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from keeping import Kept, kept, roster

from hsmpub.cli.quorum_lines import say_quorum
from hsmpub.keeper.confirming import ConfirmationNotKept, Confirming, NoSuchSet
from hsmpub.model import entry as e
from hsmpub.shares.confirmation import Confirmation, ConfirmationMalformed, confirm_with_share, dump_confirmation
from hsmpub.shares.facts import facts_of
from hsmpub.shares.pending import PendingSets
from hsmpub.shares.record import UnknownHolder
from hsmpub.shares.verifier import HolderSignatureWrong
from hsmpub.wire import messages as m
from tests.shares.shares_of import Holders, make_holders


@pytest.fixture(scope="module")
def old() -> Holders:
    return make_holders(3, 2)


@pytest.fixture(scope="module")
def new() -> Holders:
    return make_holders(3, 2, epoch=2)


@pytest.fixture
def keeper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: Holders, new: Holders) -> Iterator[Kept]:
    pending = PendingSets(number=4, unseal=new.record)
    with kept(tmp_path, monkeypatch, record=old.record, pending=pending) as made:
        yield made


def confirmation(holders: Holders, name: str) -> Confirmation:
    return confirm_with_share(holders.words(name), "unseal", facts_of(holders.record), name)


async def send(keeper: Kept, confirmed: Confirmation) -> str:
    reply = await keeper.call(m.Confirm(dump_confirmation(confirmed)))
    assert isinstance(reply, m.Done)
    return reply.detail


def view(keeper: Kept) -> tuple[m.StatusReply, m.QuorumView]:
    reply = asyncio.run(keeper.call(m.GetStatus()))
    assert isinstance(reply, m.StatusReply)
    return reply, next(one for one in reply.quorums if one.quorum == "unseal")


def test_the_status_names_who_of_a_waiting_set_has_not_confirmed(keeper: Kept, new: Holders) -> None:
    said, of = view(keeper)
    assert of.waiting is not None
    assert (of.waiting.reshare, of.waiting.epoch, of.waiting.threshold) == (4, 2, 2)
    assert of.waiting.unconfirmed == ("holder-1", "holder-2", "holder-3")
    assert "the new unseal set of reshare 4 waits for holder-1, holder-2, holder-3 to confirm" in said.warnings
    assert (said.counters["hsmpub_sets_waiting"], said.counters["hsmpub_holders_unconfirmed"]) == (1, 3)
    assert "Not confirmed yet by holder-1, holder-3." in asyncio.run(send(keeper, confirmation(new, "holder-2")))
    asyncio.run(send(keeper, confirmation(new, "holder-2")))  # once more changes nothing
    said, of = view(keeper)
    assert of.waiting is not None
    assert of.waiting.unconfirmed == ("holder-1", "holder-3")
    asyncio.run(send(keeper, confirmation(new, "holder-1")))
    assert "Every holder has confirmed it." in asyncio.run(send(keeper, confirmation(new, "holder-3")))
    said, _ = view(keeper)
    assert [warning for warning in said.warnings if "hold the second step" in warning]
    assert said.counters["hsmpub_holders_unconfirmed"] == 0


def test_what_was_confirmed_stays_over_a_restart_and_for_no_other_set(keeper: Kept, old: Holders, new: Holders) -> None:
    asyncio.run(send(keeper, confirmation(new, "holder-2")))
    file, sets = keeper.home.confirmations, keeper.keeper.confirming.in_force
    again = Confirming(file, sets, PendingSets(number=4, unseal=new.record))
    assert again.missing("unseal", facts_of(new.record)) == ("holder-1", "holder-3")
    assert again.missing("unseal", facts_of(old.record)) == ("holder-1", "holder-2", "holder-3")
    another = Confirming(file, sets, PendingSets(number=5, unseal=make_holders(2, 2, epoch=3).record))
    assert another._confirmed == {}


def test_a_set_in_force_is_confirmed_or_shown_holder_by_holder(keeper: Kept, old: Holders) -> None:
    assert view(keeper)[1].unconfirmed == ("holder-1", "holder-2", "holder-3")
    asyncio.run(send(keeper, confirmation(old, "holder-1")))
    asyncio.run(keeper.keeper.book.record(e.Drilled(keeper.now(), "unseal", 1, ("holder-3",), (), "ab" * 32)))
    assert view(keeper)[1].unconfirmed == ("holder-2",)
    assert view(keeper)[0].counters["hsmpub_unseal_drill_age_seconds"] < 60
    assert "hsmpub_recovery_drill_age_seconds" not in view(keeper)[0].counters


@pytest.mark.parametrize("wrong", ["another set", "another holder", "a stranger", "a byte", "no confirmation"])
def test_no_other_confirmation_counts(keeper: Kept, new: Holders, wrong: str) -> None:
    good = confirmation(new, "holder-2")
    changed = {
        "another set": (NoSuchSet, {"quorum": "00" * 32}),
        "another holder": (HolderSignatureWrong, {"holder": "holder-1"}),
        "a stranger": (UnknownHolder, {"holder": "holder-9"}),
        "a byte": (HolderSignatureWrong, {"signature": f"{int(good.signature[:2], 16) ^ 1:02x}{good.signature[2:]}"}),
    }
    if wrong == "no confirmation":
        with pytest.raises(ConfirmationMalformed):
            asyncio.run(keeper.call(m.Confirm(b"{}")))
    else:
        rule, fields = changed[wrong]
        with pytest.raises(rule):
            asyncio.run(send(keeper, msgspec.structs.replace(good, **fields)))
    assert not keeper.home.confirmations.exists()


def test_a_confirmation_that_the_disk_refuses_does_not_count(keeper: Kept, new: Holders) -> None:
    keeper.home.confirmations.mkdir()
    with pytest.raises(ConfirmationNotKept):
        asyncio.run(send(keeper, confirmation(new, "holder-2")))
    waiting = view(keeper)[1].waiting
    assert waiting is not None
    assert len(waiting.unconfirmed) == 3


def test_who_has_left_meanwhile_is_named(keeper: Kept) -> None:
    confirming = keeper.keeper.confirming
    first, *others = confirming.waiting["unseal"].holders
    moved = (msgspec.structs.replace(first, name="sdk-lead"), *others)
    confirming.waiting["unseal"] = msgspec.structs.replace(confirming.waiting["unseal"], holders=moved)
    asyncio.run(keeper.adopt_roster(roster(revoked=["sdk-lead"])))
    assert [warning for warning in view(keeper)[0].warnings if "sdk-lead has left; hold the reshare" in warning]


def test_the_lines_of_the_status_say_it_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    waiting = m.WaitingSet(4, 2, 2, ("holder-1", "holder-2"), ("holder-2",), ())
    say_quorum(
        m.QuorumView("unseal", 1, 2, ("holder-1", "holder-3"), 1, 0, True, ("holder-3",), ("holder-1",), ("holder-3",),
                     waiting)
    )  # fmt: skip
    said = " ".join(capsys.readouterr().out.split())
    for words in (
        "The unseal quorum (epoch 1): 2 of holder-1, holder-3; last drill 1970-01-01T00:00:01Z, ",
        "shares neither confirmed nor shown yet: holder-3", "left, and still hold shares: holder-1",
        "waiting: epoch 2, of reshare 4: 2 of holder-1, holder-2", "not confirmed yet: holder-2",
    ):  # fmt: skip
        assert words in said


def test_a_confirmation_that_is_sent_again_is_not_written_again(
    keeper: Kept, new: Holders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is synced while nothing else is answered, and whoever saw the confirmation can send it."""
    name = new.record.holders[0].name
    first = asyncio.run(send(keeper, confirmation(new, name)))

    def written(*_: object) -> None:
        raise AssertionError("written again")

    monkeypatch.setattr(Confirming, "_keep", written)
    assert asyncio.run(send(keeper, confirmation(new, name))) == first
