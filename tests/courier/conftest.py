from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from courier_process import CourierProcess
from gate import Gate
from keeper_of_jobs import KeeperOfJobs

from deploy.demo.servers.devpi import Devpi
from deploy.demo.servers.git_http import GitServer

#: Recognisable wherever it should not be.
SECRET = "canary-" + secrets.token_hex(16)


@pytest.fixture(scope="session")
def secret() -> str:
    return SECRET


@pytest.fixture(scope="session")
def devpi(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devpi]:
    with Devpi(tmp_path_factory.mktemp("devpi"), password=SECRET) as server:
        yield server


@pytest.fixture
def gate(devpi: Devpi) -> Iterator[Gate]:
    with Gate(devpi.port) as proxy:
        yield proxy


@pytest.fixture
def project() -> str:
    """A project name of this test's own: the index is shared and never takes a file name twice."""
    return f"sdk_{secrets.token_hex(6)}"


@pytest.fixture
def pypi_settings(devpi: Devpi, gate: Gate) -> dict[str, str | bool | int]:
    below = f"/{devpi.user}/{devpi.index}/"
    return {"url": gate.url(below), "index": gate.url(f"{below}+simple/"), "username": devpi.user, "loopback": True}


@pytest.fixture
def git_server(tmp_path: Path) -> Iterator[GitServer]:
    server = GitServer(tmp_path / "git", password=SECRET)
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "README").write_text("A project\n")
    server.create(tree)
    with server:
        yield server


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    for name in ("run", "artifacts", "courier"):
        (home / name).mkdir(parents=True)
    return home


@pytest.fixture
def keeper(home: Path) -> Iterator[KeeperOfJobs]:
    with KeeperOfJobs(home / "run" / "courier.sock") as server:
        server.credentials = {"index": SECRET.encode(), "git": SECRET.encode()}
        yield server


@pytest.fixture
def courier(home: Path, keeper: KeeperOfJobs) -> Iterator[CourierProcess]:
    process = CourierProcess(home, keeper.token)
    yield process
    if process.process is not None and process.process.poll() is None:
        process.kill()
