"""How many approvals are missing: each person fills one place of one group, and the places are given out best.

With a manager and a lead wanted, one person who is both is one approval, whichever of the two it fills.
Source: maximum bipartite matching by augmenting paths (Kuhn 1955).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from hsmpub.approval.check import is_requester_themself
from hsmpub.approval.roster import Roster
from hsmpub.model.predicate import Quorum


def missing_approvals(
    quorums: Sequence[Quorum],
    approvers: Iterable[str],
    roster: Roster,
    *,
    requester: Mapping[str, str] | None = None,
) -> dict[str, int]:
    """Group → how many of its people still have to approve; empty when nothing is missing.

    Args:
        quorums: what the statement asks for.
        approvers: who approved so far. Revoked people, strangers and people who left a group no longer count.
        roster: the one in force now.
        requester: of the statement; whoever it turns out to be does not count either.
    """
    groups = {person: roster.active_groups(person) for person in dict.fromkeys(approvers)}
    if requester is not None:
        groups = {
            person: of
            for person, of in groups.items()
            if of and not is_requester_themself(requester, person, roster.persons[person])
        }
    places = [quorum.group for quorum in quorums for _ in range(quorum.count)]
    filled: dict[int, str] = {}
    for person in groups:
        _seat(person, groups, places, filled, set())
    missing: dict[str, int] = {}
    for at, group in enumerate(places):
        if at not in filled:
            missing[group] = missing.get(group, 0) + 1
    return missing


def _seat(
    person: str, groups: Mapping[str, frozenset[str]], places: Sequence[str], filled: dict[int, str], tried: set[int]
) -> bool:
    """Give the person a place, moving others to another of their groups where that makes room."""
    for at, group in enumerate(places):
        if group not in groups[person] or at in tried:
            continue
        tried.add(at)
        if at not in filled or _seat(filled[at], groups, places, filled, tried):
            filled[at] = person
            return True
    return False
