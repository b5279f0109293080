"""Quorum tables of ceremony files: who holds shares, in which groups, and how many of them are needed."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StrictBool, StrictInt

from ceremony.file_rules import (
    CeremonyFileRefused,
    GroupTwice,
    HolderKeyRefused,
    HolderTwice,
    MissingCeremonyKey,
    ThresholdUnsafe,
    WrongCeremonyValue,
)
from hsmpub.errors import HsmpubError
from hsmpub.model.toml_lines import TomlText
from hsmpub.model.toml_walk import Path
from hsmpub.model.toml_words import NAME
from hsmpub.shares.plan import MOST_GROUPS, MOST_MEMBERS, GroupPlan, HolderKey, QuorumPlan, one_group
from hsmpub.shares.recipient import PAPER, parse_recipient

Name = Annotated[str, NAME]


class Table(BaseModel):
    """A table of a ceremony file: no key but those it names."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class HolderTable(Table):
    """Either `key`, or `paper`: a share card is printed for who has no key."""

    name: Name
    key: str | None = None
    paper: StrictBool = False


class GroupTable(Table):
    """alone: a threshold of 1 is meant."""

    name: Name
    threshold: StrictInt
    holders: tuple[HolderTable, ...]
    alone: StrictBool = False


class QuorumTable(Table):
    """Either `threshold` and `holders`, or `groups_needed` and `group`. alone: a threshold of 1, of holders or of
    groups, is meant."""

    threshold: StrictInt | None = None
    holders: tuple[HolderTable, ...] | None = None
    groups_needed: StrictInt | None = None
    group: tuple[GroupTable, ...] | None = None
    alone: StrictBool = False

    @property
    def plan(self) -> QuorumPlan:
        """What is to be split, of a checked table."""
        if self.group is None:
            return one_group(self.threshold or 0, _keys(self.holders or ()))
        groups = tuple(GroupPlan(group.name, group.threshold, _keys(group.holders)) for group in self.group)
        return QuorumPlan(self.groups_needed or 0, groups)


def _keys(holders: tuple[HolderTable, ...]) -> tuple[HolderKey, ...]:
    return tuple(HolderKey(holder.name, holder.key or PAPER) for holder in holders)


def check_quorum_table(table: str, quorum: QuorumTable, toml: TomlText) -> None:
    """The table names people and thresholds that a quorum can be made of.

    table: its name in the file.

    Raises:
        MissingCeremonyKey, WrongCeremonyValue, ThresholdUnsafe, GroupTwice, HolderTwice, HolderKeyRefused.
    """
    _check_form(table, quorum, toml)
    seen: dict[str, str] = {}
    if quorum.group is None:
        threshold, holders = quorum.threshold or 0, quorum.holders or ()
        _check_threshold(table, (table,), threshold, holders, quorum.alone, toml)
        _check_holders(table, (table,), holders, seen, toml)
        return
    count = len(quorum.group)
    if count > MOST_GROUPS:
        raise WrongCeremonyValue(f"{table}: {count} groups; {MOST_GROUPS} is the most.", line=toml.line_of((table,)))
    line = toml.line_of((table, "groups_needed"))
    needed = quorum.groups_needed or 0
    if not 1 <= needed <= count or (needed == 1 and count > 1 and not quorum.alone):
        raise ThresholdUnsafe(f"{table}: {needed} of {count} groups are needed.", line=line)
    if quorum.alone and not needed == 1 < count:
        raise WrongCeremonyValue(f"{table}: 'alone' is said, but {needed} of {count} groups are needed.",
                                 line=toml.line_of((table, "alone")))  # fmt: skip
    names: set[str] = set()
    for index, group in enumerate(quorum.group):
        path: Path = (table, "group", index)
        if group.name in names:
            raise GroupTwice(f"{table}: group {group.name} is there twice.", line=toml.line_of((*path, "name")))
        names.add(group.name)
        _check_threshold(f"{table}, group {group.name}", path, group.threshold, group.holders, group.alone, toml)
        _check_holders(table, path, group.holders, seen, toml)


def _check_form(table: str, quorum: QuorumTable, toml: TomlText) -> None:
    flat = {"threshold": quorum.threshold, "holders": quorum.holders}
    grouped = {"groups_needed": quorum.groups_needed, "group": quorum.group}
    wanted, other = (flat, grouped) if quorum.group is None and quorum.groups_needed is None else (grouped, flat)
    for key, value in other.items():
        if value is not None:
            raise WrongCeremonyValue(
                f"{table}: {key!r} has no meaning beside groups.", line=toml.line_of((table, key)),
                next_step="Put it into each group.",
            )  # fmt: skip
    for key, value in wanted.items():
        if value is None:
            raise MissingCeremonyKey(f"'{table}.{key}' is missing.", line=toml.line_of((table,)))


def _check_threshold(
    what: str, path: Path, threshold: int, holders: tuple[HolderTable, ...], alone: bool, toml: TomlText
) -> None:
    count = len(holders)
    if count > MOST_MEMBERS:
        raise WrongCeremonyValue(
            f"{what}: {count} holders; {MOST_MEMBERS} is the most.", line=toml.line_of((*path, "holders")),
            next_step="Make groups.",
        )  # fmt: skip
    line = toml.line_of((*path, "threshold"))
    if alone and threshold == 1 and count > 1:
        raise ThresholdUnsafe(f"{what}: a threshold of 1 of {count} holders gives each the same share.", line=line,
                              next_step="Make a group of each holder.")  # fmt: skip
    if not (2 <= threshold <= count or (alone and threshold == count == 1)):
        raise ThresholdUnsafe(f"{what}: a threshold of {threshold} of {count} holders.", line=line)
    if alone and threshold != 1:
        line = toml.line_of((*path, "alone"))
        raise WrongCeremonyValue(f"{what}: 'alone' is said beside a threshold of {threshold}.", line=line)


def _check_holders(
    table: str, path: Path, holders: tuple[HolderTable, ...], seen: dict[str, str], toml: TomlText
) -> None:
    """seen: fingerprint → name of the holders so far; grows."""
    for index, holder in enumerate(holders):
        line = toml.line_of((*path, "holders", index))
        fingerprint = _fingerprint(holder, line)
        if holder.name in seen.values():
            raise HolderTwice(f"{table}: {holder.name} is named twice.", line=line)
        if fingerprint in seen:
            raise HolderTwice(f"{table}: {holder.name} has the same key as {seen[fingerprint]}.", line=line)
        seen[fingerprint] = holder.name


def _fingerprint(holder: HolderTable, line: int) -> str:
    """Of the holder's key; of a holder with paper, their name."""
    if (holder.key is None) != holder.paper or holder.key == PAPER:
        raise HolderKeyRefused(f"{holder.name}: give a key, or say 'paper = true' without one.", line=line,
                               next_step=CeremonyFileRefused.advice)  # fmt: skip
    if holder.key is None:
        return f"{PAPER} {holder.name}"
    try:
        return parse_recipient(holder.key).fingerprint
    except HsmpubError as error:
        raise HolderKeyRefused(f"{holder.name}: {error.detail}", line=line, next_step=error.next_step) from None
