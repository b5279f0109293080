"""The courier's process, from the keeper's list of jobs to the outcome that it records, against real servers."""

from __future__ import annotations

import hashlib
import subprocess
from dataclasses import replace
from pathlib import Path

import msgspec
from courier_process import QUICK, CourierProcess
from gate import Gate
from hold import Hold
from keeper_of_jobs import Entry, KeeperOfJobs
from releases import file_item, job, sdist, tag_item, wheel

from deploy.demo.servers.devpi import Devpi, free_port
from deploy.demo.servers.git_http import GitServer
from hsmpub.wire import messages as m

Settings = dict[str, str | bool | int]


def test_publishes_wheel_and_sdist_and_records_intent_before_outcome(
    home: Path, keeper: KeeperOfJobs, courier: CourierProcess, gate: Gate, pypi_settings: Settings, project: str
) -> None:
    items = [file_item(home / "artifacts", file) for file in (wheel(project, "1.0"), sdist(project, "1.0"))]
    keeper.add(job("index", "pypi", pypi_settings, *items))
    courier.start()
    keeper.wait_for_outcomes(2)
    assert keeper.journal == [
        entry
        for item in items
        for entry in (Entry("intent", item.name, 1), Entry("outcome", item.name, 1, "accepted", item.sha256))
    ]
    assert gate.accepted() == 2


def test_a_repeat_of_the_same_file_is_already_same_and_opens_no_credential(
    home: Path, keeper: KeeperOfJobs, courier: CourierProcess, gate: Gate, pypi_settings: Settings, project: str
) -> None:
    item = file_item(home / "artifacts", wheel(project, "1.0"))
    keeper.add(job("index", "pypi", pypi_settings, item))
    courier.start()
    keeper.wait_for_outcomes(1)
    keeper.add(msgspec.structs.replace(job("index", "pypi", pypi_settings, item), request="r-2"))
    assert keeper.wait_for_outcomes(2) == [(item.name, 1, "accepted"), (item.name, 0, "already-same")]
    assert len(keeper.intents()) == gate.accepted() == 1


def test_a_different_file_of_that_name_is_a_conflict_and_stops_the_job(
    home: Path, keeper: KeeperOfJobs, courier: CourierProcess, gate: Gate, pypi_settings: Settings, project: str
) -> None:
    first, other = wheel(project, "1.0"), wheel(project, "1.0", "x = 2\n")
    keeper.add(job("index", "pypi", pypi_settings, file_item(home / "artifacts", first)))
    courier.start()
    keeper.wait_for_outcomes(1)
    items = [file_item(home / "artifacts", file) for file in (other, sdist(project, "1.0"))]
    keeper.add(msgspec.structs.replace(job("index", "pypi", pypi_settings, *items), request="r-2"))
    assert keeper.wait_for_outcomes(2)[1:] == [(items[0].name, 0, "conflict")]
    assert keeper.journal[-1].observed == hashlib.sha256(first[1]).hexdigest()
    assert len(keeper.intents()) == gate.accepted() == 1


def test_a_bad_credential_fails_once_a_round_and_goes_on_when_it_is_replaced(
    home: Path, keeper: KeeperOfJobs, courier: CourierProcess, gate: Gate, pypi_settings: Settings, project: str,
    secret: str,
) -> None:  # fmt: skip
    keeper.credentials["index"] = b"not-the-password"
    item = file_item(home / "artifacts", wheel(project, "1.0"))
    keeper.add(job("index", "pypi", pypi_settings, item))
    courier.start()
    keeper.wait_for_outcomes(1)
    refusal = keeper.journal[1]
    assert (refusal.result, "401" in refusal.detail) == ("failed", True)
    keeper.credentials["index"] = secret.encode()
    keeper.wait_for(lambda: keeper.outcomes()[-1][2] == "accepted")
    assert courier.log.read_text().count("(round 1)") == 1
    assert {result for _, _, result in keeper.outcomes()[:-1]} == {"failed"}
    assert gate.accepted() == 1


def test_a_registry_that_is_down_costs_no_attempt_and_the_job_goes_on_when_it_is_up(
    home: Path, keeper: KeeperOfJobs, courier: CourierProcess, devpi: Devpi, project: str
) -> None:
    port, below = free_port(), f"/{devpi.user}/{devpi.index}/"
    url = f"http://127.0.0.1:{port}{below}"
    settings: Settings = {"url": url, "index": f"{url}+simple/", "username": devpi.user, "loopback": True}
    item = file_item(home / "artifacts", wheel(project, "1.0"))
    keeper.add(job("index", "pypi", settings, item))
    courier.start()
    # given up for now: the reason is on record, no credential was leased
    assert keeper.wait_for_outcomes(1) == [(item.name, 0, "failed")]
    assert (keeper.intents(), "No connection" in keeper.journal[0].detail) == ([], True)
    with Gate(devpi.port, listen=port) as gate:
        assert keeper.wait_for_outcomes(2)[1:] == [(item.name, 1, "accepted")]
        assert gate.accepted() == 1


def test_an_error_after_storing_is_read_back_and_not_sent_again(
    home: Path, keeper: KeeperOfJobs, courier: CourierProcess, gate: Gate, pypi_settings: Settings, project: str
) -> None:
    gate.after = lambda method, *_: (500, {}, b"oops") if method == "POST" else None
    item = file_item(home / "artifacts", wheel(project, "1.0"))
    keeper.add(job("index", "pypi", pypi_settings, item))
    courier.start()
    assert keeper.wait_for_outcomes(1) == [(item.name, 1, "accepted")]
    assert gate.accepted() == 1


def test_a_registry_that_hangs_up_after_storing_is_read_back(
    home: Path, keeper: KeeperOfJobs, courier: CourierProcess, gate: Gate, pypi_settings: Settings, project: str
) -> None:
    gate.after = lambda method, *_: (0, {}, b"") if method == "POST" else None
    item = file_item(home / "artifacts", wheel(project, "1.0"))
    keeper.add(job("index", "pypi", pypi_settings, item))
    courier.start()
    assert keeper.wait_for_outcomes(1) == [(item.name, 1, "accepted")]
    assert gate.accepted() == 1


def test_a_registry_too_slow_to_answer_is_read_back(
    home: Path, keeper: KeeperOfJobs, gate: Gate, pypi_settings: Settings, project: str
) -> None:
    hold = Hold()
    gate.after = lambda method, *_: hold.here() if method == "POST" else None
    item = file_item(home / "artifacts", wheel(project, "1.0"))
    keeper.add(job("index", "pypi", pypi_settings, item))
    courier = CourierProcess(home, keeper.token, replace(QUICK, timeout=1.0))
    courier.start()
    try:
        assert keeper.wait_for_outcomes(1) == [(item.name, 1, "accepted")]
        assert gate.accepted() == 1
    finally:
        hold.release()
        courier.kill()


def test_a_registry_that_lies_about_storing_is_found_out_before_it_is_tried_again(
    home: Path, keeper: KeeperOfJobs, courier: CourierProcess, gate: Gate, pypi_settings: Settings, project: str
) -> None:
    lies = iter([(200, {}, b"OK")])
    gate.before = lambda method, *_: next(lies, None) if method == "POST" else None
    item = file_item(home / "artifacts", wheel(project, "1.0"))
    keeper.add(job("index", "pypi", pypi_settings, item))
    courier.start()
    assert keeper.wait_for_outcomes(3) == [
        (item.name, 1, "unknown"), (item.name, 1, "failed"), (item.name, 2, "accepted"),
    ]  # fmt: skip
    assert gate.accepted() == 1


def test_the_credential_never_follows_a_redirect(
    home: Path, keeper: KeeperOfJobs, courier: CourierProcess, gate: Gate, devpi: Devpi, pypi_settings: Settings,
    project: str,
) -> None:  # fmt: skip
    with Gate(devpi.port) as thief:
        gate.before = lambda method, path, _: (
            (307, {"Location": thief.url(path)}, b"") if method == "POST" else None
        )  # fmt: skip
        keeper.add(job("index", "pypi", pypi_settings, file_item(home / "artifacts", wheel(project, "1.0"))))
        courier.start()
        keeper.wait_for_outcomes(1)
        assert "redirects" in keeper.journal[1].detail
        assert thief.seen == []


def test_an_oversized_index_page_is_refused_before_anything_is_tried(
    home: Path, keeper: KeeperOfJobs, courier: CourierProcess, gate: Gate, pypi_settings: Settings, project: str
) -> None:
    huge = {"Content-Type": "text/html", "Content-Length": str(10**12)}
    gate.before = lambda method, *_: (200, huge, b"<a>" * (30 * 1024 * 1024)) if method == "GET" else None
    keeper.add(job("index", "pypi", pypi_settings, file_item(home / "artifacts", wheel(project, "1.0"))))
    courier.start()
    keeper.wait_for_outcomes(1)
    assert "over the cap" in keeper.journal[0].detail
    assert keeper.intents() == []


def test_an_artifact_altered_in_the_store_is_not_published(
    home: Path, keeper: KeeperOfJobs, courier: CourierProcess, gate: Gate, pypi_settings: Settings, project: str
) -> None:
    name, data = wheel(project, "1.0")
    item = file_item(home / "artifacts", (name, data))
    other = wheel(project, "1.0", "x = 2\n")[1]
    (home / "artifacts" / item.sha256[:2] / item.sha256).write_bytes(other)
    keeper.add(job("index", "pypi", pypi_settings, item))
    courier.start()
    assert keeper.wait_for_outcomes(1) == [(item.name, 0, "failed")]
    assert "not what was approved" in keeper.journal[0].detail
    assert (keeper.intents(), gate.uploads) == ([], [])


def test_a_sealed_keeper_is_waited_for(
    home: Path, keeper: KeeperOfJobs, courier: CourierProcess, gate: Gate, pypi_settings: Settings, project: str
) -> None:
    asked: list[m.CourierMessage] = []
    keeper.before = lambda message: asked.append(message) if isinstance(message, m.BeginAttempt) else None
    keeper.sealed = True
    item = file_item(home / "artifacts", wheel(project, "1.0"))
    keeper.add(job("index", "pypi", pypi_settings, item))
    courier.start()
    keeper.wait_for(lambda: bool(asked))
    assert keeper.journal == []
    keeper.sealed = False
    assert keeper.wait_for_outcomes(1) == [(item.name, 1, "accepted")]


def test_publishes_a_signed_tag_and_a_repeat_is_already_same(
    keeper: KeeperOfJobs, courier: CourierProcess, git_server: GitServer
) -> None:
    commit = git(git_server, "rev-parse", "main")
    item = tag_item("v1.0", commit)
    settings: Settings = {"url": git_server.url, "loopback": True}
    keeper.add(job("git", "git", settings, item, commit=commit))
    courier.start()
    assert keeper.wait_for_outcomes(1) == [("v1.0", 1, "accepted")]
    assert git(git_server, "cat-file", "tag", "v1.0") == item.content.decode().strip()
    keeper.add(msgspec.structs.replace(job("git", "git", settings, item, commit=commit), request="r-2"))
    assert keeper.wait_for_outcomes(2)[1:] == [("v1.0", 0, "already-same")]


def test_a_tag_at_another_object_is_a_conflict_and_is_not_moved(
    keeper: KeeperOfJobs, courier: CourierProcess, git_server: GitServer
) -> None:
    commit = git(git_server, "rev-parse", "main")
    git(git_server, "tag", "v1.0", commit)
    settings: Settings = {"url": git_server.url, "loopback": True}
    keeper.add(job("git", "git", settings, tag_item("v1.0", commit), commit=commit))
    courier.start()
    assert keeper.wait_for_outcomes(1) == [("v1.0", 0, "conflict")]
    assert keeper.journal[0].observed == git(git_server, "rev-parse", "v1.0") == commit


def test_a_private_repository_is_read_with_the_credential_before_and_after(
    keeper: KeeperOfJobs, courier: CourierProcess, git_server: GitServer
) -> None:
    git_server.private = True
    commit = git(git_server, "rev-parse", "main")
    settings: Settings = {"url": git_server.url, "loopback": True}
    keeper.add(job("git", "git", settings, tag_item("v1.0", commit), commit=commit))
    courier.start()
    assert keeper.wait_for_outcomes(1) == [("v1.0", 1, "accepted")]
    keeper.add(msgspec.structs.replace(job("git", "git", settings, tag_item("v1.0", commit, "Other")), request="r-2",
                                       commit=commit))  # fmt: skip
    assert keeper.wait_for_outcomes(2)[1:] == [("v1.0", 1, "conflict")]
    assert sum(path.endswith("/git-receive-pack") for _, path, _ in git_server.requests) == 1


def git(server: GitServer, *arguments: str) -> str:
    command = ["git", "--git-dir", str(server.repository), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
