"""Claim patterns: a star stays within its segment, and overlap is found exactly when it exists."""

from __future__ import annotations

import re
import time
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hsmpub.model.glob import is_match, is_wild, may_both_match


@pytest.mark.parametrize(
    ("pattern", "value", "matches"),
    [
        ("refs/heads/main", "refs/heads/main", True),
        ("refs/heads/main", "refs/heads/main2", False),
        ("refs/heads/release/*", "refs/heads/release/1.2", True),
        ("refs/heads/release/*", "refs/heads/release/1/2", False),
        ("refs/heads/release/*", "refs/heads/release/", True),
        ("refs/heads/release/*", "refs/heads/release", False),
        ("refs/*/v1", "refs/heads/x/v1", False),
        ("v*.*.*", "v1.2.3", True),
        ("v*.*.*", "v1.2", False),
        ("a*a", "a", False),
        ("a*a", "aa", True),
        ("*", "", True),
        ("*", "a/b", False),
        ("a?c", "abc", False),
        ("[ab]", "a", False),
        ("a.c", "abc", False),
        ("A", "a", False),
        ("*", "line\nend", True),
        ("a", "a\n", False),
    ],
)
def test_matches_by_segment(pattern: str, value: str, matches: bool) -> None:
    assert is_match(pattern, value) is matches


patterns = st.text("ab/*", max_size=7)


@given(patterns, st.text("ab/", max_size=7))
def test_matches_as_its_definition_says(pattern: str, value: str) -> None:
    assert is_match(pattern, value) is bool(re.fullmatch(re.escape(pattern).replace(r"\*", "[^/]*"), value))


VALUES = ["".join(chars) for size in range(7) for chars in product("ab/", repeat=size)]


@given(st.text("ab/*", max_size=5), st.text("ab/*", max_size=5))
def test_two_patterns_overlap_exactly_when_a_value_matches_both(a: str, b: str) -> None:
    shared = any(is_match(a, value) and is_match(b, value) for value in VALUES)
    if shared:
        assert may_both_match(a, b)
    if may_both_match(a, b) and len(a.replace("*", "")) + len(b.replace("*", "")) <= 6:
        assert shared
    assert may_both_match(a, b) is may_both_match(b, a)


def test_a_hostile_value_is_not_slow() -> None:
    assert not is_match("a*" * 100 + "b", "a" * 100_000)


def test_stars_and_slashes_alone_pin_nothing() -> None:
    assert all(map(is_wild, ["*", "**", "*/*", "/"]))
    assert not is_wild("*a")


def test_long_patterns_are_compared_at_once() -> None:
    """Letter by letter it took a tenth of a second for each pair, and a policy holds a thousand of them."""
    a, b = "x*" + "a*" * 249, "y*" + "*a" * 249
    begun = time.process_time()
    assert not any(may_both_match(a, b) for _ in range(200))
    assert time.process_time() - begun < 5
