"""I2: kill -9 at every point of a job, of the courier or of its child, and the registry takes the file exactly once."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from courier_process import QUICK, CourierProcess
from gate import Gate
from hold import Hold
from keeper_of_jobs import KeeperOfJobs
from releases import file_item, job, tag_item, wheel

from deploy.demo.servers.git_http import GitServer
from hsmpub.wire import messages as m

Settings = dict[str, str | bool | int]
Stop = Callable[[KeeperOfJobs, Gate, Hold], None]


def _keeper(before: bool, kind: type[m.CourierMessage]) -> Stop:
    def set_up(keeper: KeeperOfJobs, _: Gate, hold: Hold) -> None:
        def stop(message: m.CourierMessage) -> None:
            if isinstance(message, kind):
                hold.here()

        if before:
            keeper.before = stop
        else:
            keeper.after = stop

    return set_up


def _gate(before: bool, method: str, number: int = 1) -> Stop:
    def set_up(_: KeeperOfJobs, gate: Gate, hold: Hold) -> None:
        count = iter(range(1, 1000))

        def stop(this: str, *_: object) -> None:
            if this == method and next(count) == number:
                hold.here()

        if before:
            gate.before = stop
        else:
            gate.after = stop

    return set_up


#: Where it is killed; whether the upload had reached the registry by then.
POINTS = {
    "while it looks the first time": _gate(True, "GET"),
    "before the intent is logged": _keeper(True, m.BeginAttempt),
    "after the intent, before the lease arrives": _keeper(False, m.BeginAttempt),
    "with the whole upload sent, before the registry has it": _gate(True, "POST"),
    "after the registry has it, before it says so": _gate(False, "POST"),
    "while it is read back": _gate(True, "GET", 2),
    "before the outcome is logged": _keeper(True, m.RecordOutcome),
    "after the outcome is logged, before the courier knows": _keeper(False, m.RecordOutcome),
}


@pytest.fixture
def hold() -> Iterator[Hold]:
    point = Hold()
    yield point
    point.release()


@pytest.mark.parametrize("point", POINTS)
def test_a_killed_courier_goes_on_and_uploads_once(
    point: str, home: Path, keeper: KeeperOfJobs, courier: CourierProcess, gate: Gate, pypi_settings: Settings,
    project: str, hold: Hold,
) -> None:  # fmt: skip
    POINTS[point](keeper, gate, hold)
    item = file_item(home / "artifacts", wheel(project, "1.0"))
    keeper.add(job("index", "pypi", pypi_settings, item))
    courier.start()
    hold.wait()
    courier.kill()
    hold.release()
    courier.start()
    keeper.wait_for(lambda: keeper.items("r-1", "index")[item.name].state == "accepted")
    assert gate.accepted() == 1
    assert [result for *_, result in keeper.outcomes()].count("accepted") == 1
    _check_each_attempt_has_one_outcome(keeper)


CHILD_POINTS = [point for point in POINTS if "outcome" not in point]


@pytest.mark.parametrize("point", CHILD_POINTS)
def test_a_killed_child_is_replaced_and_uploads_once(
    point: str, home: Path, keeper: KeeperOfJobs, courier: CourierProcess, gate: Gate, pypi_settings: Settings,
    project: str, hold: Hold,
) -> None:  # fmt: skip
    POINTS[point](keeper, gate, hold)
    item = file_item(home / "artifacts", wheel(project, "1.0"))
    keeper.add(job("index", "pypi", pypi_settings, item))
    courier.start()
    hold.wait()
    (child,) = courier.children()
    os.kill(child, signal.SIGKILL)
    hold.release()
    keeper.wait_for(lambda: keeper.items("r-1", "index")[item.name].state == "accepted")
    assert gate.accepted() == 1
    _check_each_attempt_has_one_outcome(keeper)


def test_a_courier_killed_while_a_tag_is_pushed_finds_it_made_by_its_own_attempt(
    keeper: KeeperOfJobs, courier: CourierProcess, git_server: GitServer, hold: Hold
) -> None:
    keeper.before = lambda message: hold.here() if isinstance(message, m.RecordOutcome) else None
    commit = (git_server.repository / "refs/heads/main").read_text().strip()
    keeper.add(job("git", "git", {"url": git_server.url, "loopback": True}, tag_item("v1.0", commit), commit=commit))
    courier.start()
    hold.wait()
    courier.kill()
    hold.release()
    courier.start()
    keeper.wait_for(lambda: keeper.items("r-1", "git")["v1.0"].state == "accepted")
    assert [path for _, path, _ in git_server.requests].count("/project.git/git-receive-pack") == 1


def test_a_stopped_courier_takes_its_child_with_it_and_goes_on_at_the_next_start(
    home: Path, keeper: KeeperOfJobs, gate: Gate, pypi_settings: Settings, project: str, hold: Hold
) -> None:
    courier = CourierProcess(home, keeper.token, replace(QUICK, timeout=100.0, lifetime=100.0))
    _gate(False, "POST")(keeper, gate, hold)
    item = file_item(home / "artifacts", wheel(project, "1.0"))
    keeper.add(job("index", "pypi", pypi_settings, item))
    courier.start()
    try:
        hold.wait()
        (child,) = courier.children()
        watch = os.pidfd_open(child)
        assert courier.stop() == 0
        wait_until_gone(watch)
        hold.release()
        courier.start()
        assert keeper.wait_for_outcomes(1) == [(item.name, 1, "accepted")]
        assert gate.accepted() == 1
    finally:
        courier.kill()


def wait_until_gone(watch: int) -> None:
    """Waits until the process of a pidfd is gone."""
    assert select.select([watch], [], [], 30)[0], "the child outlived its courier"
    os.close(watch)


def _check_each_attempt_has_one_outcome(keeper: KeeperOfJobs) -> None:
    attempts = [attempt for _, attempt in keeper.intents()]
    assert attempts == list(range(1, len(attempts) + 1))
    closed = [attempt for _, attempt, result in keeper.outcomes() if result != "unknown" and attempt]
    assert closed == attempts
