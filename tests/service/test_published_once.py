"""I2: kill -9 of anything, anywhere; the holders unseal again; in the end the index has taken each file once."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator

import pytest

from deploy.demo.world import World
from hsmpub.model import entry as e
from tests.courier.gate import Gate
from tests.courier.hold import Hold
from tests.service import processes
from tests.service.hands import folded, log_entries, restart, start_release, unseal, wait_for


@pytest.fixture
def hold() -> Iterator[Hold]:
    point = Hold()
    yield point
    point.release()


def when(gate: Gate, hold: Hold, method: str, *, before: bool) -> None:
    def stop(this: str, *_: object) -> None:
        if this == method:
            hold.here()

    if before:
        gate.before = stop
    else:
        gate.after = stop


def _everything(world: World) -> list[int]:
    return processes.everything(world)


def _roles(*roles: str) -> Callable[[World], list[int]]:
    return lambda world: [pid for role in roles for pid in processes.of(world, role)]


#: What is killed, and when: at which request to the index, before it has it or after.
KILLS: dict[str, tuple[str, bool, Callable[[World], list[int]]]] = {
    "the keeper, with the file stored and the answer on its way": ("POST", False, _roles("keeper")),
    "the keeper and the job's child, before the index has the file": ("POST", True, _roles("keeper", "child")),
    "everything, with the file stored and the answer on its way": ("POST", False, _everything),
}


@pytest.mark.parametrize("kill", KILLS)
def test_killed_while_it_publishes_it_goes_on_and_uploads_once(
    kill: str, publishing: World, open_gate: Gate, hold: Hold
) -> None:
    method, before, victims = KILLS[kill]
    unseal(publishing)
    accepted = open_gate.accepted()
    when(open_gate, hold, method, before=before)
    view = start_release(publishing)
    hold.wait()
    pids = victims(publishing)
    processes.kill(pids)
    hold.release()
    if processes.supervisor(publishing) in pids:
        restart(publishing)
    unseal(publishing)
    wait_for(publishing, view.request, "published")
    assert open_gate.accepted() == accepted + 1
    check_log(publishing, view.request)


@pytest.mark.timeout(300)
def test_killed_at_random_moments_each_release_is_published_once(publishing: World, open_gate: Gate) -> None:
    """The moments are drawn, and the draw can be repeated. Where a kill leaves it open whether the file had gone out,
    the courier looks for the better part of a minute before it believes that it had not."""
    draw = random.Random(20261122)
    unseal(publishing)
    accepted, views = open_gate.accepted(), []
    for role in ("front", "keeper", "courier"):
        views.append(start_release(publishing))
        time.sleep(draw.uniform(0, 0.8))
        processes.kill(processes.of(publishing, role))
        unseal(publishing)
    for view in views:
        wait_for(publishing, view.request, "published", seconds=200)
        check_log(publishing, view.request)
    assert open_gate.accepted() == accepted + len(views)


def check_log(world: World, request: str) -> None:
    """The log folds, and says once that the file was accepted or found there, after an intent for each attempt."""
    assert folded(world).requests[request].state == "published"
    facts = [entry for entry in log_entries(world) if getattr(entry, "request", "") == request]
    intents = [entry.attempt for entry in facts if isinstance(entry, e.PublishIntent)]
    ends = [entry.result for entry in facts if isinstance(entry, e.PublishOutcome) and entry.result != "unknown"]
    assert intents == list(range(1, len(intents) + 1))
    assert sum(result in ("accepted", "already-same") for result in ends) == 1
    assert sum(isinstance(entry, e.Signed) for entry in facts) == 1
