"""Somebody leaves: what touches them is found, and the papers that follow are ones that the ceremonies take."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from ceremony_stage import POLICY, ROSTER, Born, run_command
from golden_transcript import check_golden
from light_home import record
from standing_stage import copy_home, files

from ceremony.file_rules import ThresholdUnsafe
from ceremony.offboard.findings import Findings, RequestTouched, RuleTouched, find
from ceremony.offboard.papers import reshare_without, roster_without
from ceremony.offboard.words import next_steps, told
from ceremony.standing.file import load_standing_file
from ceremony.standing.reshare import ReshareFile
from ceremony.standing.stand import layout_of
from hsmpub.approval import load_roster
from hsmpub.home import Home
from hsmpub.model import entry as e
from hsmpub.model.digest import sha256_hex
from hsmpub.model.fold import ServiceState
from hsmpub.model.predicate import Predicate, Quorum
from hsmpub.model.statement import Subject, dump_statement
from hsmpub.model.toml_lines import load_toml
from hsmpub.policy import Policy
from hsmpub.shares.record import RecoveryRecord, UnsealRecord
from hsmpub.tlog.log import Log
from hsmpub.transcript.check import TranscriptAltered, check_transcript

PROJECT = """
[issuer.ci]
url = "https://ci.example.org"
audience = "hsmpub"
[project.sdk]
requesters = [{ issuer = "ci", repository = "example/sdk", actor = "their-login" }]
approvals = [{ group = "managers", count = 1 }]
"""
LOGIN = 'ci_actors = ["ci:their-login"]\n'


def asked(request: str, kind: str, requester: dict[str, str], credential: str = "") -> e.Requested:
    predicate = Predicate(
        request=request, kind=kind, requester=requester, policy_sha256="ab" * 32, nonce="0" * 32, requested_at=1,  # type: ignore[arg-type]
        expires_at=9, approvals=(Quorum("managers", 1),), credential=credential,
        project="sdk" if kind == "release" else "", version=request,
    )  # fmt: skip
    return e.Requested(1, request, dump_statement((Subject("x", {"sha256": "ab" * 32}),), predicate).decode())


def state_of(*more: e.Entry) -> ServiceState:
    state = ServiceState()
    first: list[e.Entry] = [
        e.Genesis(1, "releases", "ef" * 32, 1, "", "", ()),
        e.PolicyAdopted(1, POLICY + PROJECT, sha256_hex(POLICY.encode())),
        e.RosterAdopted(1, ROSTER, sha256_hex(ROSTER.encode())),
    ]
    for index, entry in enumerate([*first, *more]):
        state.apply(index, entry)
    return state


def recovery_of(unseal: UnsealRecord) -> RecoveryRecord:
    common = {name: getattr(unseal, name) for name in ("epoch", "identifier", "extendable", "iteration_exponent",
                                                       "threshold", "check")}  # fmt: skip
    holders = tuple(msgspec.structs.replace(holder, name=f"recovery-{holder.index}") for holder in unseal.holders)
    return RecoveryRecord(**common, holders=holders, public_key="", wrapping_key_box="", so_pin_box="",
                          identity_box="", wrapped=())  # fmt: skip


def findings_of(name: str, *more: e.Entry, unseal: UnsealRecord | None = None) -> Findings:
    unseal = unseal or record(b"pin")
    policy = Policy.model_validate(load_toml(POLICY + PROJECT, file="policy").data)
    return find([name], state_of(*more), load_roster(ROSTER + LOGIN), policy, unseal, recovery_of(unseal), None)


def test_finds_keys_groups_rules_credentials_requests_and_accounts() -> None:
    found = findings_of(
        "release-manager",
        asked("01", "credential", {"person": "release-manager", "nonce": "0"}, "index"),
        e.CredentialSealed(2, "index", "ab" * 32, "01"),
        asked("02", "roster", {"person": "release-manager", "nonce": "0"}),
        asked("03", "release", {"issuer": "ci", "subject": "x"}),
        asked("04", "release", {"issuer": "ci", "subject": "y"}),
        e.Approved(3, "04", "release-manager", ""),
    )
    assert (found.enrolled, found.groups, found.actors) == (True, ("managers",), ("ci:their-login",))
    assert len(found.keys) == 1
    assert found.credentials == ("index",)
    assert found.requests == (
        RequestTouched("02", "roster", "", "asked by them"),
        RequestTouched("03", "release", "sdk", "waits for their group"),
        RequestTouched("04", "release", "sdk", "approved by them"),
    )
    assert found.requesters == ("sdk",)
    assert RuleTouched("project.sdk", "managers", 1, 0) in found.rules
    assert all(rule.is_broken for rule in found.rules)
    said = "\n".join(told(found))
    assert "NOBODY CAN MEET IT ANY MORE" in said
    assert "credential index was sealed on their request" in said
    steps = "\n".join(next_steps(found, asked="", papers=("roster.toml",)))
    assert "break-glass" in steps
    assert "hsmpub decline 02" in steps


def test_a_share_is_found_by_name_and_by_the_key_of_the_roster() -> None:

    unseal = record(b"pin")
    key = ROSTER.split('keys = ["')[1].split('"')[0]
    first, *rest = unseal.holders
    unseal = msgspec.structs.replace(
        unseal, holders=(msgspec.structs.replace(first, recipient=f"{key} a comment"), *rest)
    )
    found = findings_of("release-manager", unseal=unseal)
    assert found.names == ("holder-1", "recovery-0", "release-manager")
    assert [(share.quorum, share.epoch, share.holder, share.enough_left) for share in found.shares] == [
        ("unseal", 1, "holder-1", True), ("recovery", 1, "recovery-0", True),
    ]  # fmt: skip
    assert findings_of("holder-3").shares[0].left == ("holder-1", "holder-2")
    assert findings_of("stranger").is_nothing


def test_the_papers_are_ones_that_the_ceremonies_take(born: Born) -> None:
    layout = layout_of(born.home)
    found = findings_of("holder-4", unseal=layout.unseal)
    text = reshare_without("releases", found, layout.unseal, layout.recovery)
    file = load_standing_file(text, "reshare", ReshareFile)
    assert file.unseal is not None
    assert file.recovery is None
    assert [holder.name for holder in file.unseal.plan.holders] == ["holder-1", "holder-2", "holder-3", "holder-5"]
    roster = roster_without(ROSTER_OF_TWO, findings_of("release-manager"), load_roster(ROSTER_OF_TWO).persons)
    assert load_roster(roster).persons["release-manager"].revoked
    assert not load_roster(roster).persons["other"].revoked


ROSTER_OF_TWO = ROSTER + ROSTER.replace("release-manager", "other").replace("8584uNlA6sfm", "8584uNlA6sfn")


def test_a_threshold_out_of_reach_is_for_people_to_decide() -> None:
    unseal = record(b"pin")

    unseal = msgspec.structs.replace(unseal, threshold=3)
    found = findings_of("holder-1", unseal=unseal)
    assert not found.shares[0].enough_left
    text = reshare_without("releases", found, unseal, recovery_of(unseal))
    assert "decide" in text
    with pytest.raises(ThresholdUnsafe):
        load_standing_file(text.replace("age1", AGE), "reshare", ReshareFile)


AGE = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"


def test_the_command_leaves_the_home_alone_and_writes_report_and_papers(born: Born, tmp_path: Path) -> None:
    home = copy_home(born.home, tmp_path / "home")
    before = files(home)
    said = run_command("offboard", "release-manager", "--also", "holder-2", "--to", tmp_path / "a", "--home", home.root)
    assert said.returncode == 0, said.stderr
    assert b"nobody is enrolled who is not revoked" in said.stdout  # they are the last one: people have to decide
    assert b"hsmpub-ceremony break-glass" in said.stdout
    written = ["report.json", "reshare.toml", "transcript.json"]
    assert [path.name for path in sorted((tmp_path / "a").iterdir())] == written
    _check_evidence(born, home, tmp_path / "a")
    said = run_command("offboard", "holder-2", "--to", tmp_path / "holder", "--home", home.root)
    assert said.returncode == 0, said.stderr
    assert b"unseal quorum, epoch 1, of holder-2: in force; a quorum is left without it" in said.stdout
    report = json.loads((tmp_path / "holder" / "report.json").read_bytes())
    assert report["findings"]["shares"][0]["left"] == ["holder-1", "holder-3", "holder-4", "holder-5"]
    assert report["papers"] == ["reshare.toml"]
    dry = run_command("offboard", "holder-2", "--dry-run", "--home", home.root)
    assert dry.returncode == 0, dry.stderr
    assert check_transcript(dry.stdout, born.done.trust).head.rehearsal
    assert b"a quorum is left without it" in dry.stderr
    stranger = run_command("offboard", "stranger", "--to", tmp_path / "stranger", "--home", home.root)
    assert b"Nothing of the service touches 'stranger'" in stranger.stderr
    assert files(home) == before


def _check_evidence(born: Born, home: Home, folder: Path) -> None:
    """Signed by the keeper, with the digests of what lies beside it and the log that it is from."""
    data = (folder / "transcript.json").read_bytes()
    transcript = check_transcript(data, born.done.trust)
    assert [seal.signer for seal in transcript.seals] == ["keeper"]
    digests = transcript.facts("outputs")["sha256"]
    assert digests == {name: sha256_hex((folder / name).read_bytes()) for name in ("report.json", "reshare.toml")}
    with closing(Log.open(home.log, home.log_head, log_key=born.done.trust.log_key)) as log:
        assert transcript.facts("log") == {"log_size": log.size, "log_root": log.root.hex()}
    check_golden("offboard", transcript)
    said = run_command("verify", folder / "transcript.json", "--trust", home.trust)
    assert b"somebody leaves: holder-2, release-manager" in said.stdout, said.stderr
    for old, new in ((b'"log_size":3', b'"log_size":4'), (b'"what":"found"', b'"what":"lost "')):
        assert old in data
        with pytest.raises(TranscriptAltered):
            check_transcript(data.replace(old, new), born.done.trust)


def test_evidence_is_signed_or_nothing_is_asked(born: Born, tmp_path: Path) -> None:
    home = copy_home(born.home, tmp_path / "home")
    half = run_command("offboard", "release-manager", "--to", tmp_path / "a", "--home", home.root, "--ask-as", "other")
    assert b"belong together" in half.stderr
    home.identity_key.unlink()
    home.identity_key.mkdir()
    said = run_command("offboard", "release-manager", "--to", tmp_path / "a", "--home", home.root)
    assert said.returncode == 1
    assert not (tmp_path / "a").exists()
