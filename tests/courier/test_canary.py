"""I3, the courier's part: no byte of a credential anywhere but in the one child and on the wire to the one host."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from urllib.parse import quote

import pytest
from courier_process import CourierProcess
from gate import Gate
from hold import Hold
from keeper_of_jobs import KeeperOfJobs
from releases import file_item, job, tag_item, wheel

from deploy.demo.servers.git_http import GitServer
from hsmpub.wire import messages as m

Settings = dict[str, str | bool | int]


def forms(secret: str, user: str) -> list[bytes]:
    """The secret as it could be written down, whole or in part."""
    raw = secret.encode()
    return [
        raw, raw[:12], raw[-12:], raw.hex().encode(), quote(secret).encode(), base64.b64encode(raw)[:-4],
        base64.b64encode(f"{user}:{secret}".encode())[8:-4],
    ]  # fmt: skip


def assert_nowhere(needles: list[bytes], where: dict[str, bytes]) -> None:
    found = [name for name, data in where.items() for needle in needles if needle in data]
    assert found == [], f"the credential is in {found}"


def everything_written(home: Path, keeper: KeeperOfJobs) -> dict[str, bytes]:
    files = {str(path): path.read_bytes() for path in home.rglob("*") if path.is_file()}
    return files | {"journal": repr(keeper.journal).encode()}


def test_the_credential_is_in_no_file_log_argument_or_environment_while_it_is_used(
    home: Path, keeper: KeeperOfJobs, courier: CourierProcess, gate: Gate, pypi_settings: Settings, project: str,
    secret: str,
) -> None:  # fmt: skip
    hold = Hold()
    gate.before = lambda method, *_: hold.here() if method == "POST" else None
    keeper.add(job("index", "pypi", pypi_settings, file_item(home / "artifacts", wheel(project, "1.0"))))
    courier.start()
    hold.wait()  # the child holds the credential now
    assert courier.process is not None
    processes = [courier.process.pid, *courier.children()]
    assert len(processes) == 2
    seen = {
        f"{pid} {name}": Path(f"/proc/{pid}/{name}").read_bytes()
        for pid in processes
        for name in ("cmdline", "environ")
    }
    needles = forms(secret, str(pypi_settings["username"]))
    assert_nowhere(needles, seen | everything_written(home, keeper))
    hold.release()
    keeper.wait_for_outcomes(1)
    courier.stop()
    files = everything_written(home, keeper)
    assert any(name.endswith("workflows.sqlite") for name in files)
    assert_nowhere(needles, files)


@pytest.mark.skipif(os.getuid() != 0, reason="only root may look into another process")
def test_the_credential_is_never_in_the_courier_itself(
    home: Path, keeper: KeeperOfJobs, courier: CourierProcess, gate: Gate, pypi_settings: Settings, project: str,
    secret: str,
) -> None:  # fmt: skip
    hold = Hold()
    keeper.before = lambda message: hold.here() if isinstance(message, m.RecordOutcome) else None
    keeper.add(job("index", "pypi", pypi_settings, file_item(home / "artifacts", wheel(project, "1.0"))))
    courier.start()
    hold.wait()
    assert courier.process is not None
    memory = memory_of(courier.process.pid)
    hold.release()
    assert project.encode() in memory, "this look into memory sees nothing"
    assert_nowhere(forms(secret, str(pypi_settings["username"])), {"memory of the courier": memory})


@pytest.mark.parametrize("echo", ["raw", "base64", "header", "url", "hex", "reversed"])
def test_a_target_that_repeats_the_credential_gets_it_into_no_log(
    echo: str, home: Path, keeper: KeeperOfJobs, courier: CourierProcess, gate: Gate, pypi_settings: Settings,
    project: str, secret: str,
) -> None:  # fmt: skip
    user = str(pypi_settings["username"])
    said = {
        "raw": secret, "base64": base64.b64encode(secret.encode()).decode(), "url": quote(secret + "/"),
        "header": base64.b64encode(f"{user}:{secret}".encode()).decode(), "hex": secret.encode().hex(),
        "reversed": secret[::-1],
    }[echo]  # fmt: skip
    gate.before = lambda method, *_: (400, {}, f"bad {said} yes".encode()) if method == "POST" else None
    keeper.add(job("index", "pypi", pypi_settings, file_item(home / "artifacts", wheel(project, "1.0"))))
    courier.start()
    keeper.wait_for_outcomes(1)
    courier.stop()
    assert "withheld" in keeper.journal[1].detail
    assert_nowhere([*forms(secret, user), said.encode()], everything_written(home, keeper))


def test_a_git_servers_refusal_of_the_credential_is_logged_without_it(
    home: Path, keeper: KeeperOfJobs, courier: CourierProcess, git_server: GitServer
) -> None:
    keeper.credentials["git"] = wrong = b"canary-of-a-wrong-token"
    commit = (git_server.repository / "refs/heads/main").read_text().strip()
    keeper.add(job("git", "git", {"url": git_server.url, "loopback": True}, tag_item("v1.0", commit), commit=commit))
    courier.start()
    keeper.wait_for_outcomes(1)
    courier.stop()
    assert keeper.outcomes()[0] == ("v1.0", 1, "failed")
    assert "401" in keeper.journal[1].detail
    assert_nowhere(forms(wrong.decode(), "git"), everything_written(home, keeper))


def memory_of(pid: int) -> bytes:
    """What its writable memory holds."""
    parts = []
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, rights = line.split()[:2]
            if "w" in rights:
                start, end = (int(x, 16) for x in span.split("-"))
                memory.seek(start)
                try:
                    parts.append(memory.read(end - start))
                except OSError:
                    continue
    return b"".join(parts)
