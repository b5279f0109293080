"""I5 with the real commands: an approver who is revoked by co-signature counts no longer, before signing and before
publishing."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from deploy.demo import acts
from deploy.demo.people import Person, ssh_person
from deploy.demo.world import World
from hsmpub.model import entry as e
from hsmpub.wire import messages as m
from tests.courier.releases import wheel
from tests.service.hands import (
    approve,
    ask_release,
    at_the_keeper,
    eventually,
    log_entries,
    seal_credential,
    unseal,
    wait_for,
)
from tests.service.jobs import Front, store


def change_roster(world: World, *arguments: str | Path) -> None:
    """Asked for by the lead, approved by security."""
    lead, roster = world.people.lead, world.stage.root / "ceremony" / "roster.toml"
    asked = world.hsmpub("roster", *arguments, "--roster", roster, "--person", lead.name, "--key", lead.identity,
                         "--write")  # fmt: skip
    request = acts.find_request(asked)
    acts.approve(world, request, world.people.officer)
    acts.wait_for(world, request, "done")


@pytest.fixture
def passing(publishing: World) -> Person:
    """Somebody who is enrolled for one test."""
    unseal(publishing)
    person = ssh_person(publishing.stage, f"lead-{secrets.token_hex(4)}")
    change_roster(publishing, "enrol", person.name, "--group", "sdk-leads", "--ssh-key", f"{person.identity}.pub")
    return person


def ask(world: World, *people: Person) -> m.RequestView:
    version = f"1.{secrets.randbelow(1 << 30)}"

    async def scenario(front: Front) -> m.RequestView:
        view = await ask_release(world, front, version, store(world.home, *wheel("later", version)), project="later")
        await approve(world, front, view, people)
        return view

    return at_the_keeper(world, scenario)


def intents(world: World, view: m.RequestView) -> list[e.PublishIntent]:
    return [x for x in log_entries(world) if isinstance(x, e.PublishIntent) and x.request == view.request]


def test_revoked_before_signing_and_before_publishing(publishing: World, passing: Person) -> None:
    manager, lead = publishing.people.manager, publishing.people.lead
    half = ask(publishing, passing)
    signed = ask(publishing, passing, manager)
    control = ask(publishing, lead, manager)
    for view in (signed, control):
        wait_for(publishing, view.request, "signed")  # and waits: its credential is not sealed yet
    change_roster(publishing, "revoke", passing.name)

    at_the_keeper(publishing, lambda front: approve(publishing, front, half, (manager,)))
    seen = wait_for(publishing, half.request, "pending")
    assert seen.missing == {"sdk-leads": 1}

    seal_credential(publishing, "later", publishing.index_password)
    eventually(lambda: bool(intents(publishing, control)), "what is approved was not tried")
    assert intents(publishing, signed) == []
    assert wait_for(publishing, signed.request, "signed").publishing == ()
    said = publishing.hsmpub_refused(
        "approve", half.request, "--person", passing.name, "--key", passing.identity, "--yes"
    )
    assert "revoked" in said
