"""Facts of a receipt in words, for those who read the steps."""

from __future__ import annotations

from collections.abc import Sequence

from hsmpub.receipt.report import PublishedItem

#: Outcomes by which a target holds the very bytes.
THERE = ("accepted", "already-same")


def runs_of(indexes: Sequence[int]) -> str:
    """`entries 0–2, 15, 17–19`: neighbours stand together."""
    runs: list[list[int]] = []
    for index in sorted(indexes):
        if runs and index == runs[-1][-1] + 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    told = [str(run[0]) if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in runs]
    return f"{'entry' if len(indexes) == 1 else 'entries'} {', '.join(told)}"


def published_words(items: Sequence[PublishedItem], targets: int) -> str:
    """How much is where it was to go. items: those that were tried; targets: how many the request names."""
    if not targets:
        return "It was to be published nowhere."
    if not items:
        return "Nothing was sent to a target yet."
    there = sum(item.result in THERE for item in items)
    if there == len(items):
        return f"Published: {there}."
    return f"Published so far: {there} of the {len(items)} that were tried."
