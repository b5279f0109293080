"""Foreign text is shown, not obeyed."""

from __future__ import annotations

import io

import pytest
from fake_keeper import NOW
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from hsmpub.cli.statement_view import show_statement
from hsmpub.cli.visible import visible
from hsmpub.model.predicate import Predicate, Quorum, Signing
from hsmpub.model.statement import Subject, dump_statement, load_statement

HOSTILE = {
    "\x1b[2J\x1b[1;1H": "\\x1b[2J\\x1b[1;1H",
    "\x1b]0;title\x07": "\\x1b]0;title\\x07",
    "safe\rfake": "safe\\rfake",
    "user\u202egnp.exe": "user\\u202egnp.exe",
    "zero\u200bwidth": "zero\\u200bwidth",
    "line\u2028sep": "line\\u2028sep",
    "c1\x9b31m": "c1\\x9b31m",
    "tag\U000e0041": "tag\\U000e0041",
    "[bold red]markup[/]": "[bold red]markup[/]",
    "Grüße, 世界": "Grüße, 世界",
}


@pytest.mark.parametrize(("text", "shown"), HOSTILE.items())
def test_every_trick_loses_its_effect(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text())
def test_what_is_shown_is_always_printable(text: str) -> None:
    assert visible(text).isprintable()
    assert visible(text, lines=True).replace("\n", "").isprintable()


def rendered(predicate: Predicate, subjects: tuple[Subject, ...] = (), *, width: int = 120) -> str:
    exact = dump_statement(subjects, predicate)
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, color_system=None, soft_wrap=True, highlight=False, markup=False,
                      width=width)  # fmt: skip
    show_statement(console, load_statement(exact), exact)
    return out.getvalue()


@pytest.mark.parametrize("text", HOSTILE)
def test_the_statement_shows_hostile_members_as_they_are(text: str) -> None:
    predicate = Predicate(
        request=text, kind="release", requester={"subject": text, text: text}, policy_sha256="ab" * 32, nonce=text,
        requested_at=NOW, expires_at=NOW + 60, approvals=(Quorum(text, 1),), project=text, version=text, commit=text,
        sizes=(5,), sign=(Signing(text, (text,)),), publish=(text,),
    )  # fmt: skip
    shown = rendered(predicate, (Subject(text, {"sha256": "cd" * 32}),))
    assert all(c.isprintable() or c == "\n" for c in shown)
    assert shown.count(HOSTILE[text]) >= 12


def test_the_statement_shows_everything_that_is_signed() -> None:
    predicate = Predicate(
        request="r-1", kind="release", requester={"subject": "repo:acme/sdk", "ref": "refs/heads/main"},
        policy_sha256="ab" * 32, nonce="0f" * 16, requested_at=NOW, expires_at=NOW + 3600,
        approvals=(Quorum("managers", 2),), project="sdk", version="1.0", commit="c" * 40, sizes=(1234567, 0),
        sign=(Signing("release", ("openpgp", "dsse")),), publish=("pypi",),
    )  # fmt: skip
    shown = rendered(predicate, (Subject("a.whl", {"sha256": "12" * 32}), Subject("b.whl", {"sha256": "34" * 32})))
    for part in ("r-1", "repo:acme/sdk", "refs/heads/main", "ab" * 32, "0f" * 16, "2 of managers", "sdk 1.0", "c" * 40,
                 "a.whl, 1,234,567 bytes", "12" * 32, "b.whl, 0 bytes", "34" * 32, "release: openpgp, dsse", "pypi",
                 "2026-11-18T"):  # fmt: skip
        assert part in shown, part


def test_no_value_reaches_the_next_line_of_the_terminal_in_disguise() -> None:
    """Padded to the terminal's width, the name of a workflow would go on as a fact of its own."""
    forged = "  sign with    harmless-key: dsse"
    for taken in (15, 4):  # by the label of a fact, by the margin of a policy's lines
        value = "x" * (80 - taken) + forged
        predicate = Predicate(
            request="r-3", kind="policy", requester={"workflow": value, "y" * 50 + forged: value}, policy_sha256="",
            nonce="", requested_at=NOW, expires_at=NOW + 60, text=f"#{value[1:]}\n",
        )  # fmt: skip
        lines = rendered(predicate, width=80).split("\n")
        assert max(map(len, lines)) < 80
        assert not any(line.startswith(("  sign", "sign")) for line in lines)
        assert sum(forged.strip() in line.replace("↳ ", "") for line in lines) >= 1


def test_a_policy_is_shown_whole_line_by_line() -> None:
    text = "[project.a]\napprovals = []\n\x1b[8mhidden = true\n"
    predicate = Predicate(
        request="r-2", kind="policy", requester={"person": "p"}, policy_sha256="ab" * 32, nonce="", requested_at=NOW,
        expires_at=NOW + 60, text=text,
    )  # fmt: skip
    shown = rendered(predicate)
    assert "| [project.a]\n" in shown
    assert "| \\x1b[8mhidden = true\n" in shown
