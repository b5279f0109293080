"""The difference between two texts on the terminal: what approvers of a policy or a roster look at first."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator

from hsmpub.cli.visible import visible

#: Pairs of equal lines that are looked at. Texts made of ever the same lines would take hours.
_MOST_PAIRS = 200_000
_STYLES = {"+ ": "green", "- ": "red"}


def differing(before: str, after: str) -> Iterator[tuple[str, str, str]]:
    """Mark, line and style of a unified diff, three lines around each change. What is foreign is made visible.

    Marks are `+ `, `- `, two spaces, and `@@` before lines that say where one is in the new text: no line of a text
    begins in that column, so none can look like another's mark.
    """
    old, new = before.splitlines(), after.splitlines()
    if before == after:
        yield "@@", "Nothing changes.", ""
        return
    if old == new:
        yield "@@", "Line endings alone change.", ""
        return
    if _pairs(old, new) > _MOST_PAIRS:
        yield "@@", "Too many lines are the same one to be compared: read the whole text.", "yellow"
        return
    for group in difflib.SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(3):
        first, last = group[0][3] + 1, group[-1][4]
        yield "@@", f"lines {first} to {last}" if last > first else f"line {max(last, 1)}", ""
        for what, i, j, k, end in group:
            if what == "equal":
                yield from (("  ", visible(line), "") for line in new[k:end])
                continue
            yield from (("- ", visible(line), _STYLES["- "]) for line in old[i:j])
            yield from (("+ ", visible(line), _STYLES["+ "]) for line in new[k:end])


def _pairs(old: list[str], new: list[str]) -> int:
    there = Counter(new)
    return sum(count * there[line] for line, count in Counter(old).items())
