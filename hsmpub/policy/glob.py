"""Patterns for claims: `*` stands for any run of characters but `/`, an empty one included; all else for itself.

So `refs/heads/release/*` takes `refs/heads/release/1.2` and not `refs/heads/release/1/2`. There is no other
special character and no way to escape `*`. Both functions work segment by segment, without backtracking: the
value comes from a token and may be made to be slow.
"""

from __future__ import annotations


def is_match(pattern: str, value: str) -> bool:
    if "*" not in pattern:
        return pattern == value
    wanted, found = pattern.split("/"), value.split("/")
    return len(wanted) == len(found) and all(map(_is_segment_match, wanted, found))


def _is_segment_match(pattern: str, value: str) -> bool:
    first, *rest = pattern.split("*")
    if not rest:
        return pattern == value
    *middle, last = rest
    if len(value) < len(first) + len(last) or not value.startswith(first) or not value.endswith(last):
        return False
    at, end = len(first), len(value) - len(last)
    for piece in middle:  # the earliest place leaves the most room for the others
        at = value.find(piece, at, end)
        if at < 0:
            return False
        at += len(piece)
    return True


def is_wild(pattern: str) -> bool:
    """Whether it pins no character but `/`."""
    return not pattern.strip("*/")


def may_both_match(a: str, b: str) -> bool:
    """Whether some value matches both patterns."""
    ours, theirs = a.split("/"), b.split("/")
    return len(ours) == len(theirs) and all(map(_may_segments_match, ours, theirs))


def _may_segments_match(a: str, b: str) -> bool:
    # row[j]: what is left of `a` from here, and b[j:], have a text in common
    row = [not b[j:].strip("*") for j in range(len(b) + 1)]
    for i in reversed(range(len(a))):
        above, row = row, [False] * (len(b) + 1)
        for j in reversed(range(len(b) + 1)):
            if a[i] == "*":
                row[j] = above[j] or (j < len(b) and row[j + 1])
            elif j < len(b) and b[j] == "*":
                row[j] = row[j + 1] or above[j]
            else:
                row[j] = j < len(b) and a[i] == b[j] and above[j + 1]
    return row[0]
