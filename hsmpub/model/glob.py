"""Patterns for claims: `*` stands for any run of characters but `/`, an empty one included; all else for itself.

So `refs/heads/release/*` takes `refs/heads/release/1.2` and not `refs/heads/release/1/2`. There is no other
special character and no way to escape `*`. Both functions work segment by segment, without backtracking: the
value comes from a token and may be made to be slow.
"""

from __future__ import annotations

import re

_STARS = re.compile(r"\*+")


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
    """One bit for each place in `b`, all moved at once: a policy has many pairs, and whoever wrote it may want the
    keeper to be busy with them."""
    if "*" not in a or "*" not in b:
        return a == b or _is_segment_match(a, b) or _is_segment_match(b, a)
    a, b = _STARS.sub("*", a), _STARS.sub("*", b)
    places: dict[str, int] = {}
    for j, char in enumerate(b):
        places[char] = places.get(char, 0) | 1 << j
    stars = places["*"]
    # bit j of row: what is left of `a` from here, and b[j:], have a text in common
    row = 1 << len(b) | (1 << len(b) - 1 if b.endswith("*") else 0)
    for char in reversed(a):
        if char == "*":
            row = (1 << row.bit_length()) - 1
        else:
            row = places.get(char, 0) & row >> 1 | row & stars
            row |= row >> 1 & stars
    return bool(row & 1)
