"""Quorums of groups: each share error, and every layout, against the real gathering."""

from __future__ import annotations

import asyncio
import dataclasses
import os
from collections.abc import Sequence

import msgspec
import pyrage
import pytest
from gathered import attempt_at, refused
from hypothesis import given, settings
from hypothesis import strategies as st
from shamir_mnemonic.share import Share
from shares_of import PIN, Holders, make_groups

from hsmpub.errors import HsmpubError
from hsmpub.secret.page import SecretPage
from hsmpub.shares.commitment import share_commitment
from hsmpub.shares.derive import check_value
from hsmpub.shares.gathering import (
    EnoughShares,
    Gathering,
    GroupComplete,
    ShareAlreadyHandedIn,
    ShareAltered,
    ShareOfAnotherGroup,
    ShareOfAnotherHolder,
    TooFewHolders,
)
from hsmpub.shares.layout import Layout
from hsmpub.shares.plan import GroupPlan, HolderKey, PlanUnfit, QuorumPlan
from hsmpub.shares.progress import group_progress, progress_text
from hsmpub.shares.record import GroupRule, HolderRecord, UnknownHolder, UnsealRecord, plan_of
from hsmpub.shares.record_file import RecordMalformed, check_quorum, dump_record, load_unseal_record
from hsmpub.shares.slip39 import ShareHeaderLies, ShareMalformed, ShareOfAnotherEpoch, split_secret
from hsmpub.shares.split import split_unseal
from hsmpub.shares.splitter import SplitNotProven, check_split

GROUPS = {"operations": (2, 3), "board": (2, 3), "auditor": (1, 1)}


@pytest.fixture(scope="module")
def groups() -> Holders:
    """Two of three groups."""
    return make_groups(2, GROUPS)


@pytest.fixture(scope="module")
def next_epoch() -> Holders:
    return make_groups(2, GROUPS, epoch=2)


def test_sixteen_of_sixteen_takes_every_one_of_them() -> None:
    all_of_them = make_groups(1, {"": (16, 16)})
    names = [holder.name for holder in all_of_them.record.holders]
    assert len(names) == 16

    async def scenario() -> None:
        async with attempt_at(all_of_them.record) as (attempt, hand_in):
            for name in reversed(names):
                assert not attempt.is_complete
                await hand_in(name, all_of_them.words(name))
            with SecretPage() as page:
                await attempt.take_pin(page)
                assert page.view == PIN

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "order",
    [
        ("operations-1", "board-1", "operations-3", "board-3"),
        ("board-2", "auditor-1", "board-1"),
        ("operations-2", "board-2", "auditor-1", "operations-3"),  # the board, not complete, takes no part
    ],
)
def test_two_complete_groups_open_the_pin(groups: Holders, order: Sequence[str]) -> None:
    async def scenario() -> None:
        async with attempt_at(groups.record) as (attempt, hand_in):
            for name in order:
                assert not attempt.is_complete
                await hand_in(name, groups.words(name))
            assert attempt.is_complete
            with SecretPage() as page:
                await attempt.take_pin(page)
                assert bytearray(page.view) == PIN
            await refused(EnoughShares, hand_in("board-1", groups.words("board-1")))

    asyncio.run(scenario())


def test_refusals_in_groups_name_the_holder_and_change_nothing(groups: Holders, next_epoch: Holders) -> None:
    mine = groups.words("board-2")
    share = Share.from_mnemonic(mine.decode())

    def forged(**changes: object) -> bytes:
        return dataclasses.replace(share, **changes).mnemonic().encode()  # type: ignore[arg-type]

    async def scenario() -> None:
        async with attempt_at(groups.record) as (attempt, hand_in):
            await hand_in("operations-1", groups.words("operations-1"))
            await hand_in("operations-2", groups.words("operations-2"))
            said = await refused(GroupComplete, hand_in("operations-3", groups.words("operations-3")))
            assert said.startswith("2 holders of group operations have handed in their shares already.")
            await refused(ShareAlreadyHandedIn, hand_in("operations-1", groups.words("operations-1")))
            await refused(UnknownHolder, hand_in("board", mine))
            said = await refused(ShareOfAnotherHolder, hand_in("board-2", groups.words("operations-3")))
            assert said.startswith("board-2 handed in the share of operations-3.")
            await refused(ShareOfAnotherHolder, hand_in("board-2", groups.words("board-1")))
            await refused(ShareMalformed, hand_in("board-2", mine[:-3]))
            await refused(ShareOfAnotherEpoch, hand_in("board-2", next_epoch.words("board-2")))
            said = await refused(ShareOfAnotherGroup, hand_in("board-2", forged(group_index=0)))
            assert said.startswith("The share is of group operations; board-2 is of group board.")
            for lie in ({"member_threshold": 1}, {"group_threshold": 1}, {"group_count": 2}, {"group_index": 2},
                        {"group_index": 3, "group_count": 4}, {"index": 3}, {"extendable": False}):  # fmt: skip
                await refused(ShareHeaderLies, hand_in("board-2", forged(**lie)))
            await refused(ShareAltered, hand_in("board-2", forged(value=os.urandom(32))))
            assert attempt.accepted == ("operations-1", "operations-2")
            with SecretPage() as page:
                said = await refused(TooFewHolders, attempt.take_pin(page))
            assert "1 of the 2 groups that are needed are complete: operations 2 of 2, board 0 of 2" in said
            await hand_in("board-2", mine)
            await hand_in("auditor-1", groups.words("auditor-1"))
            assert attempt.is_complete

    asyncio.run(scenario())


def test_a_record_with_a_lowered_group_threshold_gives_no_pin(groups: Holders) -> None:
    altered = msgspec.structs.replace(groups.record, group_threshold=1, threshold=1)

    async def scenario() -> None:
        async with attempt_at(altered) as (attempt, hand_in):
            await refused(ShareHeaderLies, hand_in("auditor-1", groups.words("auditor-1")))
            assert not attempt.is_complete

    asyncio.run(scenario())


def test_the_record_of_groups_round_trips_and_plans_the_next_set(groups: Holders) -> None:
    data = dump_record(groups.record)
    assert load_unseal_record(data) == groups.record
    assert [(group.name, group.threshold) for group in groups.record.groups] == [
        ("operations", 2), ("board", 2), ("auditor", 1),
    ]  # fmt: skip
    assert groups.record.threshold == 3  # the auditor and two more
    plan = plan_of(groups.record)
    assert [group.name for group in plan.groups] == list(GROUPS)
    assert plan.holders[3] == HolderKey("board-1", groups.record.holder("board-1").recipient)
    assert progress_text(groups.record, ("board-2",)) == "operations 0 of 2, board 1 of 2, auditor 0 of 1"
    assert group_progress(groups.record, ("board-2",))[1].accepted == ("board-2",)
    for old, new in [
        (b'"group_threshold": 2', b'"group_threshold": 4'),
        (b'"group_threshold": 2', b'"group_threshold": 0'),
        (b'"threshold": 3', b'"threshold": 2'),
        (b'"group": "auditor"', b'"group": "board"'),
        (b'"group": "auditor"', b'"group": "nobody"'),
        (b'"name": "auditor"', b'"name": "board"'),
        (b'"name": "auditor"', b'"name": ""'),
        (b'"verifier": "', b'"verifier": "x'),
    ]:
        assert old in data
        with pytest.raises(RecordMalformed):
            load_unseal_record(data.replace(old, new, 1))


def test_a_quorum_without_groups_says_nothing_of_groups(holders: Holders) -> None:
    data = dump_record(holders.record)
    assert b"group" not in data
    assert [(group.name, group.threshold) for group in holders.record.groups] == [("", 3)]


@pytest.mark.parametrize(
    ("group_threshold", "groups"),
    [
        (0, [("a", 2, 3)]), (3, [("a", 2, 3), ("b", 2, 3)]), (1, [("a", 1, 2)]), (1, [("a", 4, 3)]), (1, [("a", 0, 3)]),
        (2, [("a", 2, 2), ("a", 2, 2)]), (2, [("a", 2, 2), ("", 2, 2)]), (1, [("a", 2, 17)]), (1, []),
        (2, [(f"g{n}", 1, 1) for n in range(17)]),
    ],
)  # fmt: skip
def test_refuses_to_split_what_slip39_cannot(group_threshold: int, groups: list[tuple[str, int, int]]) -> None:
    key = str(pyrage.x25519.Identity.generate().to_public())
    plans = tuple(
        GroupPlan(name, threshold, tuple(HolderKey(f"{at}-{n}", key) for n in range(count)))
        for at, (name, threshold, count) in enumerate(groups)
    )
    with pytest.raises(PlanUnfit):
        split_unseal(QuorumPlan(group_threshold, plans), epoch=1, pin=PIN)


def test_a_split_that_does_not_give_the_secret_back_is_found() -> None:
    layout = Layout(7, True, 0, 2, ((2, 3), (1, 1), (2, 2)))
    groups = split_secret(b"s" * 32, layout)
    check_split(groups, layout, bytearray(b"s" * 32))
    other = split_secret(b"s" * 32, layout)
    with pytest.raises(SplitNotProven):
        check_split(groups, layout, bytearray(b"t" * 32))
    for group, member in ((0, 2), (1, 0), (2, 1)):  # each one share takes part somewhere
        spoilt = [list(mnemonics) for mnemonics in groups]
        spoilt[group][member] = other[group][member]
        with pytest.raises(HsmpubError):
            check_split(spoilt, layout, bytearray(b"s" * 32))


def _layouts() -> st.SearchStrategy[tuple[int, list[tuple[int, int]]]]:
    group = st.one_of(st.just((1, 1)), st.integers(2, 4).flatmap(lambda n: st.tuples(st.integers(2, n), st.just(n))))
    lists = st.lists(group, min_size=1, max_size=16)
    return lists.flatmap(lambda groups: st.tuples(st.integers(1, len(groups)), st.just(groups)))


@settings(max_examples=40, deadline=None)
@given(layout=_layouts(), data=st.data())
def test_in_any_layout_and_order_exactly_a_whole_quorum_gives_the_secret(
    layout: tuple[int, list[tuple[int, int]]], data: st.DataObject
) -> None:
    needed, groups = layout
    record, words, secret = _in_process(needed, groups)
    names = data.draw(st.permutations(sorted(words)))
    gathering = Gathering(record, "unseal", b"", bytearray(32))
    have: dict[str, int] = {}
    for name in names:
        group = record.group_of(record.holder(name))
        whole = sum(have.get(g.name, 0) >= g.threshold for g in record.groups) >= needed
        assert gathering.is_complete == whole
        if whole:
            break
        if have.get(group.name, 0) >= group.threshold:
            with pytest.raises(GroupComplete):
                gathering.hand_in(name, bytearray(words[name]))
            continue
        with pytest.raises(TooFewHolders):
            gathering.secret()
        gathering.hand_in(name, bytearray(words[name]))
        have[group.name] = have.get(group.name, 0) + 1
    assert gathering.is_complete
    assert gathering.secret() == secret


def _in_process(needed: int, groups: list[tuple[int, int]]) -> tuple[UnsealRecord, dict[str, bytes], bytes]:
    secret = os.urandom(32)
    mnemonics = split_secret(secret, Layout(5, True, 0, needed, tuple(groups)))
    words = {f"h{g}-{m}": bytes(w) for g, group in enumerate(mnemonics) for m, w in enumerate(group)}
    holders = tuple(
        HolderRecord(
            name=f"h{g}-{m}", index=m, group=f"g{g}", recipient="", fingerprint="",
            commitment=share_commitment("unseal", 1, f"h{g}-{m}", word),
        )
        for g, group in enumerate(mnemonics)
        for m, word in enumerate(group)
    )  # fmt: skip
    record = UnsealRecord(
        epoch=1, identifier=5, extendable=True, iteration_exponent=0, pin_box="", holders=holders,
        threshold=sum(sorted(threshold for threshold, _ in groups)[:needed]), group_threshold=needed,
        group_rules=tuple(GroupRule(f"g{g}", threshold) for g, (threshold, _) in enumerate(groups)),
        check=check_value("unseal", 1, bytearray(secret)),
    )  # fmt: skip
    check_quorum(record)
    return record, words, secret
