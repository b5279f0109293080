"""The worst day: five holders, one leaves, one loses the share, the machine burns. What remains restores, and the first
release after it verifies with the pins and the certificate that users already had."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from deploy.demo import acts
from deploy.demo.people import Person, age_person
from deploy.demo.servers.issuer import Issuer
from deploy.demo.world import Service, World
from tests.box import genesis, make_world, running

#: A whole day is played before the first of them; a busy machine takes its time.
pytestmark = pytest.mark.timeout(400)

COMMIT = "c0ffee" * 6 + "c0ff"


@dataclass
class Day:
    """The world, what a user has kept from before, and what is left at the end."""

    world: World
    kept: Path
    released: dict[str, Path] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)


def release(world: World, version: str, folder: Path) -> Path:
    """One file, asked for by CI, approved, signed, fetched; returns the file with its signatures beside it."""
    folder.mkdir()
    file = folder / "notes.txt"
    file.write_text(f"version {version}\n")
    said = world.hsmpub(
        "release", "submit", "--project", "notes", "--version", version, "--commit", COMMIT, file,
        env=world.ci(repository="example/notes"),
    )  # fmt: skip
    request = acts.find_request(said)
    acts.approve(world, request, world.people.manager)
    acts.wait_for(world, request, "done")
    world.hsmpub("release", "fetch", request, "--to", folder)
    return file


def options(shares: Path, people: tuple[Person, ...]) -> list[str | Path]:
    found: list[str | Path] = []
    for person in people:
        found += ["--share", f"{person.name}={shares / person.name}.age", "--identity"]
        found.append(f"{person.name}={person.identity}")
    return found


def reshare(world: World, staying: tuple[Person, ...]) -> Path:
    """The one who leaves hands nothing in and gets nothing; the old set dies. Returns the folder of the new shares."""
    file = world.stage.root / "reshare.toml"
    rows = ",\n".join(f'  {{ name = "{one.name}", key = "{one.public}" }}' for one in staying)
    file.write_text(f'ceremony = "reshare"\nservice = "hsmpub-demo"\n[unseal]\nthreshold = 3\nholders = [\n{rows}\n]\n')
    ceremony, home = world.stage.bin / "hsmpub-ceremony", world.home
    old = options(home / "genesis" / "shares", world.people.holders[:3])
    world.stage.run(ceremony, "reshare", file, "--home", home, *old)
    [folder] = (home / "ceremonies").glob("*-reshare")
    new = options(folder / "shares", staying[:3])
    for one in staying:  # each on a machine of their own
        signed = world.stage.root / f"{one.name}.confirmation"
        world.stage.run(
            ceremony, "share", "check", folder / "shares" / f"{one.name}.age", "--transcript",
            folder / "transcript.json", "--trust", home / "trust.json", "--holder", one.name,
            "--identity", one.identity, "--confirmation", signed,
        )  # fmt: skip
        new += ["--confirmation", signed]
    world.stage.run(ceremony, "reshare", "--finish", folder / "finish.toml", "--home", home, *new)
    return folder / "shares"


def unseal(world: World, shares: Path, people: tuple[Person, ...]) -> None:
    for person in people:
        share = shares / f"{person.name}.age"
        world.hsmpub("unseal", "--holder", person.name, "--share", share, "--identity", person.identity)
    assert world.state() == "unsealed"


@pytest.fixture
def day(tmp_path: Path, issuer: Issuer) -> Iterator[Day]:
    """The whole day, once."""
    root = tmp_path
    world = make_world(root / "world", issuer)
    stage, kept = world.stage, root / "kept"
    ceremony = stage.bin / "hsmpub-ceremony"
    day = Day(world, kept)
    try:
        genesis(world)
        kept.mkdir()
        for name in ("trust.json", "genesis/release.asc", "genesis/release-openpgp.asc"):
            shutil.copy(world.home / name, kept)
        with running(world):
            day.released["before"] = release(world, "1", root / "before")
        # one leaves: the others, and a newcomer, get new shares
        newcomer = age_person(stage, "holder-6")
        staying = (*world.people.holders[:4], newcomer)
        shares = reshare(world, staying)
        with Service(stage, world.home) as world.service:
            unseal(world, shares, (newcomer, *world.people.holders[2:4]))
            leaver = world.people.holders[4]
            day.said["leaver"] = world.hsmpub_refused(
                "drill", "--quorum", "unseal", "--holder", leaver.name, "--identity", leaver.identity,
                "--share", world.home / "genesis" / "shares" / f"{leaver.name}.age",
            )  # fmt: skip
            for holder in world.people.recovery[:2]:
                day.said["drill"] = world.hsmpub(
                    "drill", "--quorum", "recovery", "--holder", holder.name, "--identity", holder.identity,
                    "--share", world.home / "genesis" / "recovery" / f"{holder.name}.age",
                )  # fmt: skip
            day.released["after the reshare"] = release(world, "2", root / "reshared")
            backup = root / "backup.tar"
            stage.run(ceremony, "backup", backup, "--home", world.home)
            note = kept / "checkpoint"
            note.write_bytes(Path(_fetch_checkpoint(world, root)).read_bytes())
        world.service = None
        # the recovery holders keep their share files elsewhere; one of them has lost theirs, and the machine burns
        recovery = kept / "recovery"
        recovery.mkdir()
        for holder in world.people.recovery[1:]:
            shutil.copy(world.home / "genesis" / "recovery" / f"{holder.name}.age", recovery)
        shutil.rmtree(world.home)
        # what remains restores
        trust = kept / "trust.json"
        day.said["verify"] = stage.run(ceremony, "backup", "verify", backup, "--trust", trust, "--checkpoint", note)
        restored = root / "restored"
        day.said["restore"] = stage.run(
            ceremony, "restore", backup, "--home", restored, "--trust", trust, "--checkpoint", note,
            *options(recovery, world.people.recovery[1:]),
        )  # fmt: skip
        world.home = restored
        with Service(stage, restored) as world.service:
            [folder] = restored.glob("restore-*")
            lost = world.people.holders[0]  # had lost the share of the reshare; has a new one now
            unseal(world, folder / "shares", (lost, newcomer, world.people.holders[1]))
            day.released["after the fire"] = release(world, "3", root / "after")
        world.service = None
        yield day
    finally:
        world.stage.close()


def _fetch_checkpoint(world: World, root: Path) -> Path:
    """The newest checkpoint that somebody outside has kept."""
    import urllib.request

    assert world.service is not None
    out = root / "checkpoint"
    with urllib.request.urlopen(f"{world.service.url}/log/checkpoint") as answer:
        out.write_bytes(answer.read())
    return out


def test_after_the_worst_day_what_remains_restores_and_releases(day: Day, subtests: pytest.Subtests) -> None:
    """One test, so that the day is played once however the tests are spread over processes."""
    for when in day.released:
        with subtests.test("the release verifies with what users had", when=when):
            _check_release(day, day.released[when])
    with subtests.test("who left cannot hand in, and the drill said that the rest can"):
        assert "holder-5" in day.said["leaver"]
        assert "The recovery quorum works" in day.said["drill"]
        assert "key release" in day.said["drill"]
        assert "wrapped at their birth" in day.said["verify"]
    with subtests.test("the pins are the same"):
        assert (day.world.home / "trust.json").read_bytes() == (day.kept / "trust.json").read_bytes()
        assert json.loads((day.kept / "trust.json").read_bytes())["service"] == "hsmpub-demo"
    with subtests.test("the transcripts tell the day"):
        _check_transcripts(day)


def _check_release(day: Day, file: Path) -> None:
    stage = day.world.stage
    for certificate in sorted(day.kept.glob("*.asc")):
        stage.run("gpg", "--batch", "--quiet", "--import", certificate)
    stage.run("gpg", "--batch", "--verify", Path(f"{file}.asc"), file)
    receipt = next(file.parent.glob("*.receipt.json"))
    outputs = [path for path in sorted(file.parent.iterdir()) if path != receipt]
    stage.run(stage.bin / "hsmpub", "verify", receipt, *outputs, "--trust", day.kept / "trust.json")


def _check_transcripts(day: Day) -> None:
    transcripts = [
        *day.world.home.glob("restore-*/transcript.json"),
        *day.world.home.glob("ceremonies/*/transcript.json"),
    ]
    program = day.world.stage.bin / "hsmpub-ceremony"
    for transcript in transcripts:
        day.world.stage.run(program, "verify", transcript, "--trust", day.kept / "trust.json")
    assert len(transcripts) == 4  # reshare, its second step, the drill, the restore
