"""I4: a restart leaves it sealed; wrong shares unlock nothing and stall nobody; a damaged log does not start."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.demo import acts
from deploy.demo.servers.issuer import Issuer
from deploy.demo.stage import DemoFailed
from deploy.demo.world import World
from hsmpub.sandbox import python_command
from tests.box import genesis, make_world, running
from tests.service.hands import patiently


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, issuer: Issuer) -> Iterator[World]:
    """After the ceremony, not running."""
    world = make_world(Path(tmp_path_factory.mktemp("sealed")) / "world", issuer)
    genesis(world)
    yield world
    world.stage.close()


def hand_in_refused(world: World, name: str, share: Path, identity: Path) -> str:
    return world.hsmpub_refused("unseal", "--holder", name, "--share", share, "--identity", identity)


def test_three_of_five_in_any_order_unseal_and_a_restart_seals_again(world: World) -> None:
    with running(world, unsealed=False):
        assert world.state() == "sealed"
        for holder in (world.people.holders[4], world.people.holders[0], world.people.holders[2]):
            assert world.state() == "sealed"
            acts.hand_in(world, world.home, holder)
        assert world.state() == "unsealed"
    with running(world, unsealed=False):
        assert world.state() == "sealed"


def test_refused_shares_change_nothing_and_the_next_holder_goes_on(world: World) -> None:
    one, two, three, *_ = world.people.holders
    with running(world, unsealed=False):
        acts.hand_in(world, world.home, one)
        mine = acts.share_of(world.home, two)
        assert "holder-9" in hand_in_refused(world, "holder-9", mine, two.identity)
        assert hand_in_refused(world, three.name, mine, two.identity)
        again = hand_in_refused(world, one.name, acts.share_of(world.home, one), one.identity)
        assert "already" in again
        assert world.state() == "sealed"
        acts.hand_in(world, world.home, two)
        acts.hand_in(world, world.home, three)
        assert world.state() == "unsealed"


def test_an_enrolled_person_seals_at_once_and_a_stranger_does_not(world: World) -> None:
    officer, holder = world.people.officer, world.people.holders[3]
    with running(world):
        world.hsmpub_refused("seal", "--person", "nobody", "--key", officer.identity)
        world.hsmpub_refused("seal", "--person", officer.name, "--key", holder.identity)
        assert world.state() == "unsealed"
        world.hsmpub("seal", "--person", officer.name, "--key", officer.identity)
        assert world.state() == "sealed"


def test_kill_9_of_the_keeper_leaves_it_sealed(world: World) -> None:
    with running(world):
        for pid in keepers(world):
            signal.pidfd_send_signal(pid, signal.SIGKILL)
        for _ in patiently():
            try:
                if world.state() == "sealed":
                    break
            except DemoFailed:  # it is on its way up again
                pass
        assert world.state() == "sealed"


def keepers(world: World) -> Iterator[int]:
    """Process descriptors of this service's keeper."""
    import os

    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if b"hsmpub.keeper.main" in command and str(world.home).encode() in command:
                fd = os.pidfd_open(int(entry.name))
                yield fd
                os.close(fd)


def start_keeper(world: World) -> subprocess.CompletedProcess[bytes]:
    """A keeper that is expected to refuse, so that it ends by itself."""
    return subprocess.run(
        [*python_command("hsmpub.keeper.main"), str(world.home)], capture_output=True, timeout=30, check=False
    )


def test_refuses_to_start_where_the_front_could_speak_as_the_courier(world: World) -> None:
    done = start_keeper(world)
    assert done.returncode == 1
    assert b"channels-not-separate" in done.stderr


def test_refuses_to_start_on_a_log_with_a_flipped_byte(world: World) -> None:
    log = world.home / "log" / "log.sqlite"
    before = log.read_bytes()
    try:
        with sqlite3.connect(log) as database:
            [data] = database.execute("select data from entries where idx = 1").fetchone()
            flipped = bytes([data[0]]) + bytes([data[1] ^ 1]) + data[2:]
            database.execute("update entries set data = ? where idx = 1", [flipped])
        database.close()
        done = start_keeper(world)
        assert done.returncode == 1
        assert b"log-altered" in done.stderr
    finally:
        log.write_bytes(before)
