"""What an attempt and a look mean together: every row of the table, and what must never be said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hsmpub.courier.task import AnswerKind, Shown
from hsmpub.courier.verdict import Attempted, judge
from hsmpub.errors import Problem

ANSWERS: list[AnswerKind] = ["", "yes", "no", "unknown", "unsent"]
SHOWN: list[Shown] = ["absent", "same", "different", "unknown"]


def tried(answer: AnswerKind, open_before: bool = False) -> Attempted:
    return Attempted("tried", 1, open_before, answer=answer)


@pytest.mark.parametrize(
    ("answer", "open_before", "shown", "result"),
    [
        ("yes", False, "same", "accepted"), ("unknown", False, "same", "accepted"),
        ("no", False, "same", "already-same"), ("unsent", False, "same", "already-same"),
        ("", False, "same", "already-same"), ("", True, "same", "accepted"), ("no", True, "same", "accepted"),
        ("yes", False, "different", "conflict"), ("no", True, "different", "conflict"),
        ("yes", False, "absent", "unknown"), ("unknown", False, "absent", "unknown"),
        ("no", False, "absent", "failed"), ("unsent", False, "absent", "failed"),
        ("yes", False, "unknown", "unknown"), ("unknown", False, "unknown", "unknown"),
        ("no", False, "unknown", "failed"), ("unsent", False, "unknown", "failed"),
    ],
)  # fmt: skip
def test_each_row_of_the_table(answer: AnswerKind, open_before: bool, shown: Shown, result: str) -> None:
    assert judge(tried(answer, open_before), shown, "", "").result == result


@given(st.sampled_from(ANSWERS), st.booleans(), st.sampled_from(SHOWN))
def test_published_is_only_what_was_read_back_as_the_same(answer: AnswerKind, open_before: bool, shown: Shown) -> None:
    result = judge(tried(answer, open_before), shown, "", "").result
    assert (result in ("accepted", "already-same")) == (shown == "same")
    assert (result == "conflict") == (shown == "different")


@given(st.sampled_from(["yes", "unknown"]), st.sampled_from(["absent", "unknown"]))
def test_nothing_that_was_sent_counts_as_failed_before_it_is_read_again(answer: AnswerKind, shown: Shown) -> None:
    assert judge(tried(answer), shown, "", "").result == "unknown"


def test_a_problem_that_trying_again_does_not_cure_is_lasting() -> None:
    problem = Problem("forbidden", "credential-refused", "It answers 401.", "Seal a fresh one.", False)
    verdict = judge(Attempted("tried", 1, answer="no", problem=problem), "absent", "", "")
    assert (verdict.lasting, verdict.detail) == (True, "It answers 401.")
