"""A key is put in another's place on a real service: what is refused, what goes on, what users with old pins see."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.demo import acts
from deploy.demo.servers.issuer import Issuer
from deploy.demo.world import World
from tests.box import genesis, make_world, running

ROTATE = """\
ceremony = "key-rotate"
service = "hsmpub-demo"
[[key]]
replaces = "routine"
name = "routine-2027"
"""
NIGHTLY = {"repository": "example/nightly"}


@dataclass(frozen=True)
class Changed:
    """pins: as they were before; before, after: receipts of signatures of before and after the change; refused,
    warned: what commands said."""

    world: World
    pins: Path
    before: Path
    after: Path
    refused: str
    warned: str


def sign(world: World, name: str) -> Path:
    file = world.stage.root / name
    file.write_bytes(name.encode())
    world.hsmpub("sign", file, "--project", "nightly", "--format", "sshsig", env=world.ci(**NIGHTLY))
    return file.with_name(f"{name}.receipt.json")


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Changed]:
    with Issuer.start() as issuer:
        world = make_world(Path(tmp_path_factory.mktemp("keys")) / "world", issuer)
        try:
            genesis(world)
            pins = Path(shutil.copy(world.trust, world.stage.root / "pins.json"))
            with running(world):
                before = sign(world, "before.bin")
            hold(world)
            with running(world):
                refused = refused_file(world)
                warned = world.hsmpub("status")
                adopt(world)
                after = sign(world, "after.bin")
                yield Changed(world, pins, before, after, refused, warned)
        finally:
            world.stage.close()


def hold(world: World) -> None:
    file = world.stage.root / "rotate.toml"
    file.write_text(ROTATE)
    shares = [
        word
        for holder in world.people.holders[:3]
        for word in ("--share", f"{holder.name}={acts.share_of(world.home, holder)}",
                     "--identity", f"{holder.name}={holder.identity}")
    ]  # fmt: skip
    world.stage.run(world.stage.bin / "hsmpub-ceremony", "key-rotate", file, "--home", world.home, *shares)


def refused_file(world: World) -> str:
    file = world.stage.root / "refused.bin"
    file.write_bytes(b"refused")
    return world.hsmpub_refused(
        "sign", file, "--project", "nightly", "--format", "sshsig", env=world.ci(**NIGHTLY)
    )  # fmt: skip


def adopt(world: World) -> None:
    policy = world.stage.root / "ceremony" / "policy.toml"
    policy.write_text(policy.read_text().replace('key = "routine"', 'key = "routine-2027"'))
    lead = world.people.lead
    said = world.hsmpub("policy", "adopt", policy, "--person", lead.name, "--key", lead.identity)
    request = acts.find_request(said)
    for person in (world.people.manager, world.people.officer):
        acts.approve(world, request, person)
    acts.wait_for(world, request, "done")


def test_the_old_key_signs_nothing_and_the_refusal_says_what_to_do(changed: Changed) -> None:
    assert "'routine'" in changed.refused
    assert "was retired" in changed.refused
    assert "Adopt a policy" in changed.refused
    assert "key routine (retired)" in changed.warned
    assert "Warning: the policy has routine sign" in changed.warned


def test_receipts_of_before_and_after_verify_with_the_first_pins(changed: Changed) -> None:
    for receipt in (changed.before, changed.after):
        said = changed.world.hsmpub("verify", receipt, receipt.with_name(receipt.name.split(".")[0] + ".bin"),
                                    "--trust", changed.pins)  # fmt: skip
        assert "Verified" in said


def test_trust_update_brings_old_pins_to_what_the_home_has(changed: Changed, tmp_path: Path) -> None:
    mine = Path(shutil.copy(changed.pins, tmp_path / "trust.json"))
    said = changed.world.hsmpub("trust", "update", "--trust", mine)
    assert "New key routine-2027 (p256), for openpgp, sshsig, dsse" in said
    assert "Key routine signs nothing any more; routine-2027 takes its place" in said
    assert mine.read_bytes() == changed.world.trust.read_bytes()
    assert "is up to date" in changed.world.hsmpub("trust", "update", "--trust", mine)
    shown = changed.world.hsmpub("trust", "show", "--trust", mine)
    assert "routine-2027 (p256): makes openpgp, sshsig, dsse" in shown


def test_a_policy_is_checked_against_the_pins_as_they_are(changed: Changed) -> None:
    papers = changed.world.stage.root / "ceremony"
    arguments = ("policy", "check", papers / "policy.toml", "--roster", papers / "roster.toml", "--trust")
    assert "hsmpub trust update" in changed.world.hsmpub_refused(*arguments, changed.pins)
    assert "is a valid policy" in changed.world.hsmpub(*arguments, changed.world.trust)


def test_the_client_refuses_a_signature_by_a_key_that_its_pins_lack(changed: Changed, tmp_path: Path) -> None:
    file = tmp_path / "x.bin"
    file.write_bytes(b"x")
    said = changed.world.hsmpub_refused("sign", file, "--project", "nightly", "--format", "sshsig", "--trust",
                                        changed.pins, env=changed.world.ci(**NIGHTLY))  # fmt: skip
    assert "hsmpub trust update" in said
    assert list(tmp_path.iterdir()) == [file]
