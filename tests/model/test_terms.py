"""Terms of an unsealing: one spelling each, bounds, and words for people."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hsmpub.model.terms import (
    MAX_SECONDS,
    MAX_SIGNATURES,
    UNLIMITED,
    Terms,
    TermsMalformed,
    bound_attempt,
    check_terms,
    dump_terms,
    make_terms,
    say_period,
    say_terms,
)

TERMS = st.builds(
    make_terms,
    st.none() | st.integers(1, MAX_SECONDS),
    st.none() | st.integers(1, MAX_SIGNATURES),
    st.lists(st.from_regex(r"[a-z][a-z0-9-]{0,9}", fullmatch=True), max_size=5).map(tuple),
)


@given(TERMS, TERMS)
def test_two_terms_have_the_same_bytes_only_when_they_are_the_same(a: Terms, b: Terms) -> None:
    assert (dump_terms(a) == dump_terms(b)) == (a == b)
    bound = bound_attempt(b"a" * 16, dump_terms(a)), bound_attempt(b"a" * 16, dump_terms(b))
    assert (bound[0] == bound[1]) == (a == b)


def test_no_limits_bind_to_the_attempt_alone() -> None:
    assert dump_terms(UNLIMITED) == b""
    assert bound_attempt(b"a" * 16, b"") == b"a" * 16


@pytest.mark.parametrize(
    "terms",
    [
        Terms(seconds=0),
        Terms(seconds=MAX_SECONDS + 1),
        Terms(signatures=0),
        Terms(signatures=-5),
        Terms(signatures=MAX_SIGNATURES + 1),
        Terms(projects=()),
        Terms(projects=("b", "a")),
        Terms(projects=("a", "a")),
        Terms(projects=("../x",)),
        Terms(projects=("x\n",)),
        Terms(projects=tuple(f"p{i:03}" for i in range(33))),
    ],
)
def test_refuses_what_is_no_limit_or_has_two_spellings(terms: Terms) -> None:
    with pytest.raises(TermsMalformed):
        check_terms(terms)


def test_words() -> None:
    assert say_terms(UNLIMITED) == "without limits"
    assert say_terms(make_terms(8 * 3600, 500, ("b", "a"))) == "for 8 hours, for 500 signatures, for a, b only"
    assert say_terms(Terms(signatures=1)) == "for 1 signature"
    assert say_period(90_061) == "1 day 1 hour"
    assert say_period(0) == "0 seconds"
