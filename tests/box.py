"""A whole service in a folder, for tests and benchmarks: real ceremony, real processes, real commands."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from deploy.demo import acts
from deploy.demo.papers import write_ceremony, write_policy, write_roster
from deploy.demo.people import gather
from deploy.demo.servers.devpi import Devpi
from deploy.demo.servers.git_http import GitServer
from deploy.demo.servers.issuer import Issuer
from deploy.demo.stage import Stage
from deploy.demo.world import Service, World
from tests.forked import PROGRAMS, run_forked


@dataclass(frozen=True)
class _Place:
    """Stands for a server of the outside world that this test does not need: nothing listens there."""

    url: str = "http://127.0.0.1:1/nothing.git"
    upload_url: str = "http://127.0.0.1:1/upload/"
    simple_url: str = "http://127.0.0.1:1/simple/"
    user: str = "nobody"


NOWHERE = _Place()


class ForkedStage(Stage):
    """The demo's, but for how this project's own commands start: without an interpreter of their own. Not for what is
    measured."""

    def _play(
        self, command: list[str], cwd: Path, stdin: bytes, env: dict[str, str]
    ) -> subprocess.CompletedProcess[bytes]:
        program = Path(command[0])
        if program.parent == self.bin and program.name in PROGRAMS:
            return run_forked(program.name, command[1:], env=env, cwd=cwd, stdin=stdin)
        return super()._play(command, cwd, stdin, env)


def make_world(root: Path, issuer: Issuer, *, index: Devpi | None = None, git: GitServer | None = None,
               staged: type[Stage] = ForkedStage) -> World:  # fmt: skip
    """People and papers below `root`; no ceremony yet."""
    stage = staged(root, Console(quiet=True))
    return World(
        stage=stage,
        people=gather(stage),
        issuer=issuer,
        index=index or NOWHERE,  # type: ignore[arg-type]
        git=git or NOWHERE,  # type: ignore[arg-type]
        home=root / "home",
        index_password=b"",
        git_password=b"",
    )


def genesis(world: World, *, policy: str = "", added: str = "", hsm: str = "") -> None:
    """The ceremony, with the demo's policy, with something added to it, or with another one.

    hsm: lines for the table [hsm] of the ceremony file; none: SoftHSM in the home.
    """
    papers = world.stage.root / "ceremony"
    papers.mkdir()
    write_policy(papers / "policy.toml", world.issuer, world.index, world.git)
    file = papers / "policy.toml"
    file.write_text((policy or file.read_text()) + added)
    write_roster(papers / "roster.toml", world.people)
    write_ceremony(papers / "ceremony.toml", world.people)
    ceremony = papers / "ceremony.toml"
    ceremony.write_text(ceremony.read_text().replace("[hsm]\n", f"[hsm]\n{hsm}"))
    world.stage.run(world.stage.bin / "hsmpub-ceremony", "genesis", papers / "ceremony.toml", "--home", world.home)


@contextmanager
def running(world: World, *, unsealed: bool = True) -> Iterator[World]:
    """The service of a world, with three shares handed in, stopped at the end."""
    with Service(world.stage, world.home) as world.service:
        if unsealed:
            for holder in world.people.holders[:3]:
                acts.hand_in(world, world.home, holder)
        yield world
    world.service = None
