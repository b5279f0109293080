"""Who is to hold shares: groups that mirror the organisation, each with a threshold of its own.

A quorum is complete when `group_threshold` of its groups are; a group is, when `threshold` of its holders have handed
in. A quorum without named groups is one group named "".
Source: SLIP-0039, "Two-level sharing".
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from hsmpub.errors import Invalid
from hsmpub.shares.layout import Layout

#: SLIP-39 counts groups and members in four bits.
MOST_GROUPS = MOST_MEMBERS = 16


class PlanUnfit(Invalid):
    advice = "Correct the quorum: thresholds from 1 to what there is, and 1 only where there is one holder."


class HolderKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A holder to be: name and public key (age, SSH, OpenPGP), or `paper`."""

    name: str
    recipient: str


class GroupPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """name: empty for the only group of a quorum; threshold: so many of `holders` are needed."""

    name: str
    threshold: int
    holders: tuple[HolderKey, ...]


class QuorumPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """group_threshold: so many of `groups` are needed."""

    group_threshold: int
    groups: tuple[GroupPlan, ...]

    @property
    def holders(self) -> tuple[HolderKey, ...]:
        """All of them, group by group."""
        return tuple(holder for group in self.groups for holder in group.holders)

    @property
    def threshold(self) -> int:
        """The fewest holders that can be enough."""
        return fewest_holders(self.group_threshold, [group.threshold for group in self.groups])

    def layout(self, identifier: int, extendable: bool, iteration_exponent: int) -> Layout:
        """The pinned header of a set of shares made by this plan."""
        groups = tuple((group.threshold, len(group.holders)) for group in self.groups)
        return Layout(identifier, extendable, iteration_exponent, self.group_threshold, groups)


def one_group(threshold: int, holders: Iterable[HolderKey]) -> QuorumPlan:
    """The plan of a quorum without named groups: `threshold` of `holders`."""
    return QuorumPlan(1, (GroupPlan("", threshold, tuple(holders)),))


def fewest_holders(group_threshold: int, thresholds: Iterable[int]) -> int:
    """How many holders are enough, if they are of the groups that need fewest."""
    return sum(sorted(thresholds)[:group_threshold])


def check_plan(plan: QuorumPlan) -> None:
    """Raises PlanUnfit unless SLIP-39 can split by it, with each name once and no share that two people hold."""
    groups = [(group.name, group.threshold, len(group.holders)) for group in plan.groups]
    check_groups(plan.group_threshold, groups, [holder.name for holder in plan.holders])


def check_groups(group_threshold: int, groups: list[tuple[str, int, int]], names: list[str]) -> None:
    """As check_plan. groups: name, threshold and number of holders of each. Raises PlanUnfit."""
    if not 1 <= group_threshold <= len(groups) <= MOST_GROUPS:
        raise PlanUnfit(f"The quorum asks for {group_threshold} of {len(groups)} groups.")
    for name, threshold, count in groups:
        of_group = f" of group {name!r}" if name else ""
        if not 1 <= threshold <= count <= MOST_MEMBERS:
            raise PlanUnfit(f"The quorum asks for {threshold} of {count} holders{of_group}.")
        if threshold == 1 and count > 1:  # every member would hold the same words
            raise PlanUnfit(f"A threshold of 1 for {count} holders{of_group} gives each the same share.")
        if not name and len(groups) > 1:
            raise PlanUnfit("A quorum of several groups has one without a name.")
    if len({name for name, _, _ in groups}) != len(groups):
        raise PlanUnfit("The quorum names a group twice.")
    if len(set(names)) != len(names):
        raise PlanUnfit("The quorum names a holder twice.")
