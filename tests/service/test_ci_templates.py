"""The GitHub Action and the GitLab template, run as their runners run them, against a real service."""

from __future__ import annotations

import os
import re
import secrets
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.demo.servers.issuer import Issuer
from deploy.demo.world import World
from hsmpub.client import Client
from tests.service.hands import approve, at_the_keeper, wait_for
from tests.service.jobs import AUDIENCE, NIGHTLY, RELEASE
from tests.service.runner import ACTION, Runner, gitlab_script, gitlab_variables

HOSTILE = "$(touch pwned)`touch pwned`'\";touch pwned;#\n::error::x"


def runner(service: World, workspace: Path, **claims: str) -> Runner:
    return Runner(workspace, service.ci(**claims))


def inputs(service: World, **more: str) -> dict[str, str]:
    assert service.service is not None
    return {
        "url": service.service.url, "trust": str(service.trust), "command": str(service.stage.bin / "hsmpub"),
        "project": "notes", "version": f"3.{secrets.randbelow(1 << 30)}", "files": "dist/*.whl", "timeout": "0",
        **more,
    }  # fmt: skip


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / "sdk-1.whl").write_bytes(os.urandom(64))
    yield tmp_path
    assert not (tmp_path / "pwned").exists()


def approved(service: World, request: str) -> None:
    assert service.service is not None
    with Client(service.service.url) as client:
        view = client.request(request)
    at_the_keeper(service, lambda front: approve(service, front, view, (service.people.manager,)))
    wait_for(service, request, "done")


def test_a_release_goes_on_where_it_stands_after_a_cancelled_job_and_a_late_approval(
    service: World, workspace: Path
) -> None:
    """1. People take longer than the job. 2. The next one is cancelled as it waits. 3. They approve. 4. It is out."""
    ci = runner(service, workspace, repository="example/notes")
    asked = inputs(service)
    first = ci.run(**asked)
    assert (first.status, first.outputs["state"]) == (4, "pending"), first.log
    request = first.outputs["request"]
    assert f"Request {request} waits for people" in first.log
    assert f"hsmpub approve {request}" in first.summary

    second = ci.start(**{**asked, "timeout": "600"})
    second.install()
    step = second.begin(ci.action["runs"]["steps"][-1])
    assert step.stdout is not None
    assert any(b"still to approve" in line for line in iter(step.stdout.readline, b""))  # it waits
    os.killpg(step.pid, signal.SIGINT)
    cancelled = second.finish_last(step)
    assert cancelled.status != 0
    assert cancelled.outputs["request"] == request

    approved(service, request)
    third = ci.run(**asked)
    assert (third.status, third.outputs) == (0, {"request": request, "state": "done"}), third.log
    made = {path.name for path in (workspace / "signatures").iterdir()}
    assert "sdk-1.whl.asc" in made
    token = ci.environment["ACTIONS_ID_TOKEN_REQUEST_TOKEN"]
    for ran in (first, cancelled, third):
        printed = ran.log + ran.summary + "".join(path.read_text() for path in workspace.glob("run-*/*"))
        assert token not in printed
        assert "eyJ" not in printed

    (workspace / "dist" / "sdk-1.whl").write_bytes(b"built anew, and different")
    other = ci.run(**asked, request=request)
    assert other.status == 1
    assert "not the file of that name" in other.log


def test_a_job_that_only_asks_ends_well_and_a_later_one_goes_on_by_the_name(service: World, workspace: Path) -> None:
    ci = runner(service, workspace, repository="example/notes")
    first = ci.run(**inputs(service, do="ask"))
    assert (first.status, first.outputs["state"]) == (0, "pending"), first.log
    approved(service, first.outputs["request"])
    later = ci.run(**inputs(service, files="", version="", request=first.outputs["request"]))
    assert (later.status, later.outputs["state"]) == (0, "done"), later.log


def test_routine_signatures_by_the_action(service: World, workspace: Path) -> None:
    ci = runner(service, workspace, **NIGHTLY)
    ran = ci.run(**inputs(service, do="sign", project="nightly", formats="sshsig\n\n"))
    assert ran.status == 0, ran.log
    made = {path.name for path in (workspace / "signatures").iterdir()}
    assert made == {"sdk-1.whl.sig", "sdk-1.whl.receipt.json"}


@pytest.mark.parametrize(
    "names", [("project", "version", "commit", "request", "output"), ("files",), ("timeout",), ("do",)]
)
def test_no_input_is_read_as_shell_or_as_a_command_to_the_runner(
    service: World, workspace: Path, names: tuple[str, ...]
) -> None:
    ran = runner(service, workspace, **RELEASE).run(**{**inputs(service), **dict.fromkeys(names, HOSTILE)})
    assert ran.status in (1, 2)
    guard = re.search(r"::stop-commands::(\w+)\n", ran.log)
    outside = ran.log if guard is None else ran.log[: guard.start()] + ran.log.split(f"::{guard[1]}::\n")[1]
    assert "::error::x" not in outside
    assert set(ran.outputs.values()) == {""}


def test_the_action_puts_expressions_into_variables_only_and_gives_its_token_to_nobody() -> None:
    steps = Runner(Path(), {}).action["runs"]["steps"]
    assert all("${{" not in step["run"] for step in steps)
    for script in ACTION.glob("*.sh"):
        text = script.read_text()
        assert "${{" not in text
        assert "eval" not in text
        assert "ACTIONS_ID" not in text


def test_the_action_installs_this_repository_with_pinned_digests(workspace: Path) -> None:
    """What is run, not what it downloads: python3 is a stand-in that writes down its arguments."""
    stand_in = workspace / "bin" / "python3"
    stand_in.parent.mkdir()
    stand_in.write_text('#!/bin/bash\necho "$@" >> "$RUNNER_TEMP/calls"\n'
                        'if [[ $2 == venv ]]; then mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; fi\n')  # fmt: skip
    stand_in.chmod(0o755)
    ci = Runner(workspace, {"PATH": f"{stand_in.parent}:{os.environ['PATH']}"})
    run = ci.start()
    run.install()
    calls = (workspace / "calls").read_text().splitlines()
    assert calls[0] == f"-m venv {workspace}/hsmpub"
    assert "--require-hashes -r" in calls[1]
    assert calls[2].endswith(f"--no-deps {ACTION.parents[1]}")


def gitlab(service: World, workspace: Path, job: str, token: str, **variables: str) -> subprocess.CompletedProcess[str]:
    assert service.service is not None
    env = {
        "PATH": f"{service.stage.bin}:{os.environ['PATH']}", "HOME": str(workspace), "CI_COMMIT_SHA": "c" * 40,
        **gitlab_variables(job), "HSMPUB_URL": service.service.url, "HSMPUB_TRUST": str(service.trust),
        "HSMPUB_ID_TOKEN": token, "HSMPUB_FILES": "dist/*.whl", **variables,
    }  # fmt: skip
    script = ["bash", "-c", gitlab_script(job)]
    return subprocess.run(script, cwd=workspace, env=env, capture_output=True, text=True, timeout=90)


def test_the_gitlab_template_asks_waits_and_goes_on(service: World, workspace: Path, gitlab_issuer: Issuer) -> None:
    def run(job: str, **variables: str) -> subprocess.CompletedProcess[str]:
        token = gitlab_issuer.token(AUDIENCE, project_path="example/site", ref="main")
        return gitlab(service, workspace, job, token, HSMPUB_PROJECT="site", **variables)

    version = {"HSMPUB_VERSION": f"4.{secrets.randbelow(1 << 30)}{HOSTILE[:17]}", "HSMPUB_TIMEOUT": "0"}
    hostile = run(".hsmpub-release", **version)
    assert hostile.returncode == 1
    version["HSMPUB_VERSION"] = version["HSMPUB_VERSION"].partition("$")[0]
    first = run(".hsmpub-release", **version)
    assert first.returncode == 4, first.stderr
    told = dict(line.split("=") for line in (workspace / "hsmpub.env").read_text().splitlines())
    assert told["HSMPUB_STATE"] == "pending"
    approved(service, told["HSMPUB_REQUEST"])
    again = run(".hsmpub-release", **version)
    assert again.returncode == 0, again.stderr
    assert (workspace / "signatures" / "sdk-1.whl.sig").exists()
    assert "eyJ" not in first.stdout + first.stderr + again.stdout + again.stderr
