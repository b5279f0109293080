"""What approvers see of a change: every changed line, marked, and nothing that a text could pretend."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hsmpub.cli.difference import differing

LINES = st.lists(st.sampled_from(["a", "b", "c", "+ a", "- b", "@@ lines 1 to 2", ""]), max_size=20)


@given(LINES, LINES)
def test_every_line_that_comes_or_goes_is_marked(before: list[str], after: list[str]) -> None:
    old, new = "".join(f"{line}\n" for line in before), "".join(f"{line}\n" for line in after)
    shown = list(differing(old, new))
    taken = {"+ ": len(after) - len(before), "- ": 0}
    count = {mark: sum(1 for found, *_ in shown if found == mark) for mark in ("+ ", "- ")}
    assert count["+ "] - count["- "] == taken["+ "]
    assert (shown == [("@@", "Nothing changes.", "")]) == (before == after)
    for mark, line, _ in shown:
        assert mark == "@@" or line in (before if mark == "- " else after)


def test_a_change_is_shown_with_three_lines_around_it_and_where_it_is() -> None:
    before = "".join(f"line {number}\n" for number in range(1, 12))
    shown = [f"{mark} {line}" for mark, line, _ in differing(before, before.replace("line 6\n", "line six\n"))]
    assert shown == [
        "@@ lines 3 to 9", "   line 3", "   line 4", "   line 5", "-  line 6", "+  line six",
        "   line 7", "   line 8", "   line 9",
    ]  # fmt: skip


def test_control_characters_of_a_text_do_nothing() -> None:
    shown = [line for _, line, _ in differing("a\n", "a\x1b[2J\u202e\n")]
    assert shown[1:] == ["a", "a\\x1b[2J\\u202e"]


def test_changed_line_endings_are_said_and_not_hidden() -> None:
    assert list(differing("a\nb\n", "a\r\nb\n")) == [("@@", "Line endings alone change.", "")]


def test_texts_of_ever_the_same_line_are_not_compared_for_hours() -> None:
    [(_, said, _)] = differing("#\n" * 16_000, "#\n" * 15_000)
    assert "read the whole text" in said
