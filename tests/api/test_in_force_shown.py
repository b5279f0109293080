"""The policy and the roster in force, with proof, and what an adoption would change: over HTTP, by a real keeper."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from real_keeper import Place, pins, real, served_log

from hsmpub.model import entry as e
from hsmpub.model.digest import sha256_hex
from hsmpub.model.personal import AskRoster
from hsmpub.model.statement import load_statement
from hsmpub.model.trust import dump_trust
from hsmpub.receipt import ReceiptBuilder
from hsmpub.tlog.note import VerifierKey
from hsmpub.tlog.reader import LogReader
from hsmpub.tlog.rules import CheckpointPending
from hsmpub.wire import messages as m
from tests.cli.command import Command
from tests.keeper.keeping import PEOPLE, roster

OTHER_KEY = str(VerifierKey("keeper.example/log", PEOPLE["sdk-lead"].public_key().public_bytes_raw()))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with real(tmp_path_factory.mktemp("keeper"), {}, "", checkpoint_timeout=0.2) as both, served_log(both):
        yield both


@pytest.fixture
def hsmpub(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    (tmp_path / "trust.json").write_bytes(dump_trust(pins(place[1])))
    env = {"HSMPUB_URL": place[0].url, "HSMPUB_TRUST": str(tmp_path / "trust.json")}
    return Command(monkeypatch, capsys, env)


@pytest.fixture
def asked(place: Place) -> Iterator[m.RequestView]:
    """A policy that lets others sign nightly, and that waits."""
    front, made = place
    view = front.do(made.ask_policy(made.policy.replace("example/nightly", "example/other")))
    yield view
    front.do(made.decline(view, "release-manager"))


def approve(hsmpub: Command, request: str) -> Any:
    """Shows it, and signs nothing, because nobody is there to agree."""
    return hsmpub.with_input(b"", "approve", request, "--person", "release-manager", "--key", "none")


CHANGE = (
    '     expires = "72h"\n     [project.nightly]\n'
    '  -  requesters = [{ issuer = "ci", repository = "example/nightly" }]\n'
    '  +  requesters = [{ issuer = "ci", repository = "example/other" }]\n'
)


def test_approvers_of_a_policy_see_what_changes(hsmpub: Command, asked: m.RequestView) -> None:
    said = approve(hsmpub, asked.request)
    assert "  What changes in the policy in force (entry 1 of the log):\n" in said.out
    assert CHANGE in said.out
    assert "Nothing was signed" in said.err
    assert CHANGE in hsmpub("release", "show", asked.request).out


def test_without_pins_the_whole_text_is_shown_and_that_no_difference_is(hsmpub: Command, asked: m.RequestView) -> None:
    del hsmpub.env["HSMPUB_TRUST"]
    said = approve(hsmpub, asked.request)
    assert "What changes cannot be shown without the pins" in said.err
    assert "The whole new text" in said.out
    assert "What changes in" not in said.out


def test_while_the_logs_end_is_not_signed_that_is_said(
    hsmpub: Command, asked: m.RequestView, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: object) -> bytes:
        raise CheckpointPending("No checkpoint covers entry 9 yet.")

    monkeypatch.setattr(LogReader, "wait_for_checkpoint", never)
    said = approve(hsmpub, asked.request)
    assert "What changes cannot be shown now: No checkpoint covers entry 9 yet." in said.err
    assert "The whole new text" in said.out


def test_a_front_that_shows_another_policy_as_the_one_in_force_is_refused(
    hsmpub: Command, asked: m.RequestView, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ReceiptBuilder, "_completed", lambda _, indexes: [index for index in indexes if index != 1])
    said = approve(hsmpub, asked.request)
    assert said.status == 1
    assert "does not show the policy with the digest" in said.err
    assert "whole new text" not in said.out


def test_approvers_of_a_roster_see_what_changes_against_the_one_that_the_statement_names(
    place: Place, hsmpub: Command
) -> None:
    front, made = place
    text = roster(revoked=["second-lead"])
    view = front.do(made.ask(AskRoster("sdk-lead", "ab" * 16, made.now(), text)))
    predicate = load_statement(view.statement).predicate
    assert predicate.roster_sha256 == sha256_hex(roster().encode())
    said = approve(hsmpub, view.request)
    assert "  What changes in the roster in force (entry 2 of the log):\n" in said.out
    assert "  -  revoked = false\n  +  revoked = true\n" in said.out
    assert "in whose place the new one comes" in said.out
    front.do(made.decline(view, "security-officer"))


def test_shows_policy_and_roster_in_force_byte_for_byte(place: Place, hsmpub: Command, asked: m.RequestView) -> None:
    made = place[1]
    policy, people = hsmpub("policy", "show"), hsmpub("roster", "show")
    assert policy.out == made.policy
    assert "in force since entry 1 of the log, 1970-01-01T00:00:01Z, adopted by a ceremony." in policy.err
    assert people.out == roster()
    assert "in force since entry 2 of the log" in people.err


def test_shows_what_was_in_force_at_an_entry(place: Place, hsmpub: Command) -> None:
    front, made = place
    before = made.keeper.book.state.size - 1
    adopted = front.do(made.adopt_roster(roster(revoked=["second-lead"])))
    try:
        now = hsmpub("roster", "show")
        assert now.out == roster(revoked=["second-lead"])
        assert f"by request {adopted.request}." in now.err
        assert hsmpub("roster", "show", "--at", str(before)).out == roster()
        receipt = hsmpub("release", "fetch", adopted.request, "--to", made.folder / "fetched")
        assert receipt.status == 0, receipt.err
        assert hsmpub("verify", *(made.folder / "fetched").glob("*.receipt.json")).status == 0
    finally:
        front.do(made.adopt_roster(roster()))


@pytest.mark.parametrize(("at", "why"), [("0", "No policy was in force yet at entry 0"), ("4000", "is none of them")])
def test_says_where_none_was_in_force(hsmpub: Command, at: str, why: str) -> None:
    said = hsmpub("policy", "show", "--at", at)
    assert said.status == 1
    assert why in said.err
    assert said.out == ""


def test_refuses_a_log_under_another_key(place: Place, hsmpub: Command, tmp_path: Path) -> None:
    trust = msgspec.structs.replace(pins(place[1]), log_key=OTHER_KEY)
    (tmp_path / "trust.json").write_bytes(dump_trust(trust))
    said = hsmpub("policy", "show")
    assert said.status == 1
    assert "signed by the pinned log key" in said.err
    assert said.out == ""


def test_refuses_an_entry_that_is_not_the_signed_one(
    hsmpub: Command, monkeypatch: pytest.MonkeyPatch, asked: m.RequestView
) -> None:
    def lying(self: LogReader, index: int, width: int = 256) -> bytes:
        entries = [
            entry if at != 2 else e.dump_entry(e.RosterAdopted(1, "mine", sha256_hex(b"mine")))
            for at, entry in enumerate(self.entries(0, width))
        ]
        return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)

    monkeypatch.setattr(LogReader, "entry_bundle", lying)
    said = hsmpub("roster", "show")
    assert said.status == 1
    assert "Entry 2 is not the one of the signed log." in said.err
    assert "mine" not in said.out
