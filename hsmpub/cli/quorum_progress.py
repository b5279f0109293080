"""How far a gathering of shares is, for whoever hands in or looks on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hsmpub.cli.visible import visible
from hsmpub.wire.messages import GroupProgress


def progress_lines(group_threshold: int, groups: Sequence[GroupProgress]) -> Iterator[str]:
    """A sentence on who has handed in; with groups, one on how many are complete, then one for each."""
    if [group.name for group in groups] == [""]:
        yield f"Handed in: {_names(groups[0].accepted)} ({_count(groups[0])})."
        return
    complete = sum(len(group.accepted) >= group.threshold for group in groups)
    yield f"Groups complete: {complete} of the {group_threshold} that are needed."
    for group in groups:
        yield f"  {visible(group.name)}: {_names(group.accepted)} ({_count(group)})."


def waiting_line(groups: Sequence[GroupProgress]) -> str:
    """Who can still hand in; empty when nobody has to."""
    waiting = [
        visible(name)
        for group in groups
        if len(group.accepted) < group.threshold
        for name in group.holders
        if name not in group.accepted
    ]
    return f"Holders who can still hand in: {', '.join(waiting)}." if waiting else ""


def _names(accepted: Sequence[str]) -> str:
    return ", ".join(visible(name) for name in accepted) or "nobody yet"


def _count(group: GroupProgress) -> str:
    return f"{len(group.accepted)} of {group.threshold}"
