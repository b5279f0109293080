"""`hsmpub decrypt` before anything is sent, and what approvers see of it."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from command import Command
from rich.console import Console

from hsmpub.cli.statement_view import show_statement
from hsmpub.model.predicate import Decryption, Predicate, Quorum
from hsmpub.model.statement import Statement, Subject, dump_statement, load_statement
from hsmpub.model.trust import Trust, dump_trust
from tests.envelope.team import run, team

PERSON = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kudwl5czqf6qw2n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "trust.json").write_bytes(dump_trust(Trust("releases", "", "", (team().certifier, team().key))))
    path = tmp_path / "db.age"
    path.write_bytes(run("age", "-r", team().age, data=b"x"))
    return path


@pytest.mark.parametrize(
    "words",
    [
        ("--to", PERSON), ("--reason", "why"), ("--request", "r-1"), ("--output", "new"),
        ("--to", PERSON, "--reason", "why"), ("--to", PERSON, "--reason", "why", "--person", "sdk-lead"),
        ("--to", PERSON, "--reason", "why", "--request", "r-1", "--person", "sdk-lead", "--key", "k"),
        ("--request", "r-1", "--person", "sdk-lead", "--key", "k"),
    ],
    ids=range(8),
)  # fmt: skip
def test_half_a_wish_is_refused_with_what_is_missing(hsmpub: Command, file: Path, words: tuple[str, ...]) -> None:
    said = hsmpub("decrypt", file, "--trust", file.parent / "trust.json", *words)
    assert said.status == 1
    assert "--request" in said.err
    assert "--reason" in said.err


def test_a_name_that_is_taken_is_told_before_anybody_is_asked(hsmpub: Command, file: Path) -> None:
    said = hsmpub("decrypt", file, "--trust", file.parent / "trust.json", "--to", PERSON, "--reason", "why",
                  "--person", "sdk-lead", "--key", "k", "--output", file)  # fmt: skip
    assert (said.status, "exists already" in said.err) == (1, True)


def test_approvers_see_file_header_recipient_and_reason() -> None:
    asked = Decryption("backup", "age", PERSON, PERSON, "host-1 \x1b[2J lost its disk")
    predicate = Predicate(
        request="r-1", kind="decrypt", requester={"person": "sdk-lead", "nonce": "n"}, policy_sha256="bb" * 32,
        nonce="n", requested_at=1_790_000_000, expires_at=1_790_003_600, approvals=(Quorum("managers", 2),),
        sizes=(717,), decrypt=asked,
    )  # fmt: skip
    exact = dump_statement((Subject("db.age", {"sha256": "aa" * 32}),), predicate)
    statement: Statement = load_statement(exact)
    shown = io.StringIO()
    show_statement(Console(file=shown, width=200, highlight=False, markup=False), statement, exact)
    text = shown.getvalue()
    for part in ("decrypt", "db.age, 717 bytes", "aa" * 32, "form age", "backup", PERSON, "2 of managers"):
        assert part in text
    assert "host-1 \\x1b[2J lost its disk" in text
    assert "\x1b" not in text
