"""Requests for a roster that another adoption overtook."""

from __future__ import annotations

import re
from pathlib import Path

from deploy.demo.world import World
from tests.service.hands import eventually


def test_a_roster_written_before_another_adoption_cannot_undo_it(service: World, tmp_path: Path) -> None:
    """Else a request from before a revocation, approved after it, would bring the revoked person back."""
    text = (service.stage.root / "ceremony" / "roster.toml").read_text()
    manager, officer = service.people.manager, service.people.officer

    def ask(name: str) -> str:
        file = tmp_path / f"{name}.toml"
        file.write_text(f"{text}# {name}\n")
        said = service.hsmpub("roster", "adopt", file, "--person", manager.name, "--key", manager.identity)
        found = re.search(r"[0-9a-f]{16}", said)
        assert found
        return found[0]

    earlier, later = ask("earlier"), ask("later")
    approval = ("--person", officer.name, "--key", officer.identity, "--yes")
    service.hsmpub("approve", later, *approval)
    eventually(lambda: f"{later}  roster: done" in service.hsmpub("release", "list", "--all"), "it was not adopted")
    assert f"The request {earlier} is expired." in service.hsmpub_refused("approve", earlier, *approval)
    assert "another roster was adopted" in service.hsmpub("release", "show", earlier)
