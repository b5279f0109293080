"""Quorums: different people, each in one place, and only those who are enrolled now."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hsmpub.approval import Person, Roster, missing_approvals
from hsmpub.model.predicate import Quorum


def roster(groups: dict[str, str], *, revoked: str = "") -> Roster:
    """`{"a": "m l"}`: person a is in groups m and l. Keys play no part here."""
    people = {
        name: Person(groups=tuple(of.split()), keys=("unused",), revoked=name in revoked.split())
        for name, of in groups.items()
    }
    return Roster.model_validate({"person": people})


PEOPLE = {"anna": "m", "ben": "m l", "cleo": "l", "dora": "m"}


@pytest.mark.parametrize(
    ("approvers", "missing"),
    [
        ([], {"m": 1, "l": 1}),
        (["anna"], {"l": 1}),
        (["cleo"], {"m": 1}),
        (["anna", "cleo"], {}),
        (["ben", "anna"], {}),
        (["anna", "ben"], {}),
        (["ben", "cleo"], {}),
        (["anna", "dora"], {"l": 1}),
        (["anna", "anna"], {"l": 1}),
        (["stranger", "cleo"], {"m": 1}),
    ],
)
def test_counts_what_is_missing(approvers: list[str], missing: dict[str, int]) -> None:
    assert missing_approvals([Quorum("m", 1), Quorum("l", 1)], approvers, roster(PEOPLE)) == missing


def test_a_person_in_two_groups_is_one_approval() -> None:
    missing = missing_approvals([Quorum("m", 1), Quorum("l", 1)], ["ben"], roster(PEOPLE))
    assert sum(missing.values()) == 1


def test_people_revoked_since_no_longer_count() -> None:
    quorums = [Quorum("m", 1), Quorum("l", 1)]
    assert missing_approvals(quorums, ["anna", "cleo"], roster(PEOPLE, revoked="cleo")) == {"l": 1}
    assert missing_approvals(quorums, ["anna", "cleo"], roster({**PEOPLE, "cleo": "guests"})) == {"l": 1}


def test_the_requester_does_not_count() -> None:
    missing = missing_approvals([Quorum("m", 1)], ["anna"], roster(PEOPLE), requester={"person": "anna"})
    assert missing == {"m": 1}


def test_nothing_is_missing_where_nothing_is_asked() -> None:
    assert missing_approvals([], [], roster(PEOPLE)) == {}


@given(
    st.dictionaries(st.sampled_from("abcde"), st.sets(st.sampled_from("mlk")).map(" ".join), min_size=1),
    st.lists(st.tuples(st.sampled_from("mlk"), st.integers(1, 2)), max_size=3, unique_by=lambda q: q[0]),
    st.lists(st.sampled_from("abcdef"), max_size=5),
)
def test_gives_out_places_as_well_as_any_way_could(
    groups: dict[str, str], wanted: list[tuple[str, int]], approvers: list[str]
) -> None:
    quorums = [Quorum(group, count) for group, count in wanted]
    places = [group for group, count in wanted for _ in range(count)]
    people = sorted(set(approvers) & set(groups))
    best = 0
    for order in permutations([*people, *[""] * len(places)], len(places)):
        best = max(best, sum(bool(p) and group in groups[p].split() for p, group in zip(order, places, strict=True)))
        if best == len(places):
            break
    missing = missing_approvals(quorums, approvers, roster(groups))
    assert sum(missing.values()) == len(places) - best
    assert all(0 < missing[group] <= dict(wanted)[group] for group in missing)
