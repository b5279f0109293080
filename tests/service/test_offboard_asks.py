"""`hsmpub-ceremony offboard --ask-as` against a running service: the revocation is a request like any other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deploy.demo.acts import approve, find_request, wait_for
from deploy.demo.stage import DemoFailed
from deploy.demo.world import World
from hsmpub.model.trust import load_trust
from hsmpub.transcript.check import check_transcript
from hsmpub.transcript.record import Transcript


def offboard(service: World, to: Path, ask_as: str, key: Path) -> tuple[str, Transcript]:
    """What the command said, and its evidence, checked."""
    assert service.service is not None
    said = service.stage.run(
        service.stage.bin / "hsmpub-ceremony", "offboard", service.people.lead.name, "--to", to, "--home",
        service.home, "--ask-as", ask_as, "--key", key, "--url", service.service.url,
    )  # fmt: skip
    return said, check_transcript((to / "transcript.json").read_bytes(), load_trust(service.trust.read_bytes()))


def enrol_another_lead(service: World, folder: Path) -> None:
    """So that somebody is left to approve for the group of the one who leaves."""
    text = (service.stage.root / "ceremony" / "roster.toml").read_text()
    key = folder / "second-lead"
    service.stage.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
    line = " ".join(key.with_suffix(".pub").read_text().split()[:2])
    file = folder / "roster.toml"
    file.write_text(f'{text}\n[person.second-lead]\ngroups = ["sdk-leads"]\nkeys = ["{line}"]\n')
    manager = service.people.manager
    said = service.hsmpub("roster", "adopt", file, "--person", manager.name, "--key", manager.identity)
    request = find_request(said)
    approve(service, request, service.people.officer)
    wait_for(service, request, "done")


def test_the_revocation_is_asked_for_at_once_and_the_evidence_names_it(service: World, tmp_path: Path) -> None:
    lead, manager, officer = service.people.lead, service.people.manager, service.people.officer
    enrol_another_lead(service, tmp_path)
    said, transcript = offboard(service, tmp_path / "leaving", manager.name, manager.identity)
    asked = transcript.facts("revocation asked for")
    request = asked["request"]
    assert asked == {"by": manager.name, "request": request, "refused": ""}
    assert f"hsmpub approve {request}" in said
    assert json.loads((tmp_path / "leaving" / "report.json").read_bytes())["revocation_request"] == request
    assert lead.name in service.hsmpub("release", "show", request)
    service.hsmpub("decline", request, "--person", officer.name, "--key", officer.identity, "--yes")


def test_a_refused_revocation_is_in_the_evidence_and_the_papers_are_there(service: World, tmp_path: Path) -> None:
    """Asked with another one's key: people still have what they need to go on."""
    officer, manager = service.people.officer, service.people.manager
    said, transcript = offboard(service, tmp_path / "leaving", manager.name, officer.identity)
    assert transcript.facts("revocation asked for")["refused"]
    assert "The revocation was not taken" in said
    assert (tmp_path / "leaving" / "roster.toml").exists()
    with pytest.raises(DemoFailed):  # nothing is overwritten
        offboard(service, tmp_path / "leaving", manager.name, officer.identity)
