"""A policy or roster adopted by the holders, where no approval can do it any more; and what every ceremony shares."""

from __future__ import annotations

import os
import shutil
from contextlib import closing
from pathlib import Path

import pytest
from ceremony_stage import POLICY, ROSTER, Born, run_command, tree
from standing_stage import copy_home, entries, files, hold_file, quorum, shares, write_papers

from ceremony.file_rules import CeremonyFileRefused, MissingCeremonyKey, UnknownCeremonyKey
from ceremony.standing.break_glass import BREAK_GLASS, NothingToAdopt
from ceremony.standing.file import FileOfAnotherCeremony
from ceremony.standing.hold import Done, FileOfAnotherService, read_papers
from ceremony.standing.opened import (
    CeremonyHalfDone,
    CeremonyUnderWay,
    KeeperRunning,
    NothingToResume,
    NotTheKeepersUser,
    open_home,
)
from ceremony.standing.quorum import AtHand
from hsmpub.errors import HsmpubError
from hsmpub.home import Home
from hsmpub.model import entry as e
from hsmpub.model.digest import sha256_hex
from hsmpub.policy.refusals import PolicyRefused
from hsmpub.shares.gathering import TooFewHolders
from hsmpub.tlog.checkpoint import check_checkpoint
from hsmpub.tlog.log import Log
from hsmpub.tlog.note import load_verifier_key
from hsmpub.tlog.reader import LogReader
from hsmpub.transcript.check import check_transcript

FILE = """\
ceremony = "break-glass"
service = "releases"
reason = "all managers have left"
policy = "policy.toml"
roster = "roster.toml"
"""
NEW_POLICY = POLICY.replace("managers", "leads")
NEW_ROSTER = ROSTER.replace("managers", "leads").replace("release-manager", "sdk-lead")


@pytest.fixture(scope="module")
def held(born: Born, tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, Done]:
    folder = tmp_path_factory.mktemp("break-glass")
    home = copy_home(born.home, folder / "home")
    file = write_papers(folder / "papers", ceremony=FILE, policy=NEW_POLICY, roster=NEW_ROSTER)
    return home, hold_file(BREAK_GLASS, file, home, quorum(born, recovery=()))


def test_the_texts_are_in_force_and_the_log_says_how(born: Born, held: tuple[Home, Done]) -> None:
    home, done = held
    roster, policy, ceremony = entries(home, born.done.trust.log_key)[3:]
    assert isinstance(roster, e.RosterAdopted)
    assert isinstance(policy, e.PolicyAdopted)
    assert (policy.text, roster.text, policy.request) == (NEW_POLICY, NEW_ROSTER, "")
    assert isinstance(ceremony, e.CeremonyHeld)
    assert (ceremony.number, ceremony.ceremony) == (1, "break-glass")
    assert ceremony.holders == ("holder-1", "holder-3", "holder-4")
    assert ceremony.transcript_sha256 == sha256_hex(done.transcript)


def test_the_transcript_verifies_and_names_every_output(born: Born, held: tuple[Home, Done]) -> None:
    home, done = held
    assert (done.folder / "transcript.json").read_bytes() == done.transcript
    transcript = check_transcript(done.transcript, born.done.trust)
    assert [step.what for step in transcript.steps] == [
        "ceremony file", "break-glass", "unseal share", "unseal share", "unseal share", "outputs",
    ]  # fmt: skip
    outputs = transcript.facts("outputs")["sha256"]
    assert set(outputs) == {f"ceremonies/1-break-glass/{name}.toml" for name in ("ceremony", "policy", "roster")}
    assert all(sha256_hex((home.root / name).read_bytes()) == sha256 for name, sha256 in outputs.items())


def test_a_checkpoint_covers_it_and_the_home_is_ready_for_a_keeper(born: Born, held: tuple[Home, Done]) -> None:
    home, _ = held
    with closing(LogReader.open(home.log)) as reader:
        assert check_checkpoint(reader.checkpoint(), load_verifier_key(born.done.trust.log_key)).size == 6
    assert not home.ceremony_journal.exists()
    assert not [name for name in tree(home.root) if name.endswith(".of-ceremony") or "incomplete" in name]


@pytest.mark.parametrize(
    ("text", "rule", "line"),
    [
        (FILE.replace("reason", "raeson"), UnknownCeremonyKey, 3),
        (FILE.replace("break-glass", "reshare"), FileOfAnotherCeremony, 1),
        (FILE.replace("policy = ", "# ").replace("roster = ", "# "), MissingCeremonyKey, 1),
        (FILE.replace('"all managers have left"', '"x"'), CeremonyFileRefused, 3),
    ],
)
def test_refuses_a_file_with_the_line(tmp_path: Path, text: str, rule: type[CeremonyFileRefused], line: int) -> None:
    file = write_papers(tmp_path / "papers", ceremony=text, policy=NEW_POLICY, roster=NEW_ROSTER)
    with pytest.raises(rule) as refused:
        read_papers(file, BREAK_GLASS)
    assert refused.value.line == line


@pytest.mark.parametrize(
    ("texts", "names", "rule"),
    [
        ({"ceremony": FILE.replace("releases", "elsewhere")}, ("holder-1", "holder-2", "holder-3"),
         FileOfAnotherService),
        ({}, ("holder-1", "holder-2"), TooFewHolders),
        ({"policy": NEW_POLICY.replace("leads", "nobody")}, ("holder-1", "holder-2", "holder-3"), PolicyRefused),
        ({"policy": POLICY, "roster": ROSTER}, ("holder-1", "holder-2", "holder-3"), NothingToAdopt),
    ],
)  # fmt: skip
def test_a_refused_ceremony_leaves_the_home_as_it_was(
    born: Born, tmp_path: Path, texts: dict[str, str], names: tuple[str, ...], rule: type[HsmpubError]
) -> None:
    home = copy_home(born.home, tmp_path / "home")
    before = files(home)
    file = write_papers(tmp_path / "papers", **{"ceremony": FILE, "policy": NEW_POLICY, "roster": NEW_ROSTER} | texts)
    at_hand = AtHand(shares(born, born.home.genesis / "shares", names))
    with pytest.raises(rule):
        hold_file(BREAK_GLASS, file, home, at_hand)
    assert files(home) == before
    assert not home.ceremony_journal.exists()
    assert all(not any(share.identity) for share in at_hand.unseal)


def test_a_running_keeper_and_a_second_ceremony_are_refused_by_name(born: Born, tmp_path: Path) -> None:
    home = copy_home(born.home, tmp_path / "home")
    with closing(Log.open(home.log, home.log_head, log_key=born.done.trust.log_key)):
        with pytest.raises(KeeperRunning), open_home(home):
            pytest.fail("it was opened")
        home.ceremony_journal.write_bytes(b"{}")
        with pytest.raises(CeremonyUnderWay), open_home(home):
            pytest.fail("it was opened")
    home.ceremony_journal.unlink()
    with pytest.raises(NothingToResume), open_home(home, resuming=True):
        pytest.fail("it was opened")


def test_refuses_a_user_who_does_not_own_the_home(born: Born, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    with pytest.raises(NotTheKeepersUser), open_home(born.home):
        pytest.fail("it was opened")


def test_after_a_killed_ceremony_nothing_starts_until_it_is_resumed(born: Born, tmp_path: Path) -> None:
    home = copy_home(born.home, tmp_path / "home")
    home.ceremony_journal.write_text(
        '{"journal":"hsmpub ceremony journal v1","ceremony":"break-glass","number":1,"phase":"preparing","log_size":3}'
    )
    (home.ceremonies / "1-break-glass.incomplete").mkdir(parents=True)
    with pytest.raises(CeremonyHalfDone), open_home(home):
        pytest.fail("it was opened")
    said = run_command("resume", "--home", home.root)
    assert b"1-break-glass was rolled back" in said.stdout, said.stderr
    assert not home.ceremony_journal.exists()
    assert list(home.ceremonies.iterdir()) == []
    again = run_command("resume", "--home", home.root)
    assert again.returncode == 1
    assert b"No ceremony was interrupted" in again.stderr


def test_a_rehearsal_takes_no_share_and_changes_nothing(born: Born, tmp_path: Path) -> None:
    home = copy_home(born.home, tmp_path / "home")
    shutil.rmtree(home.tokens)  # the HSM is not even there
    before = files(home)
    file = write_papers(tmp_path / "papers", ceremony=FILE, policy=NEW_POLICY, roster=NEW_ROSTER)
    said = run_command("break-glass", file, "--home", home.root, "--dry-run")
    assert said.returncode == 0, said.stderr
    assert said.stdout.startswith(b'{"head":{"transcript":"hsmpub transcript v1","ceremony":"break-glass"')
    assert b'"rehearsal":true' in said.stdout
    assert files(home) == before
