"""The commands' tests use the front and the fake keeper of tests/api."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parents[1] / "api"), str(Path(__file__).parent)]

from command import Command  # noqa: E402
from running import Running, running  # noqa: E402

from hsmpub.model.trust import Trust, dump_trust  # noqa: E402


@pytest.fixture(scope="module")
def service() -> Iterator[Running]:
    with running() as up:
        yield up


@pytest.fixture(scope="module")
def trust(service: Running, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pins") / "trust.json"
    path.write_bytes(dump_trust(Trust("hsmpub-test", "log-key", service.keeper.keeper_key, ())))
    return path


@pytest.fixture
def hsmpub(
    service: Running, trust: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    return Command(monkeypatch, capsys, {"HSMPUB_URL": service.url, "HSMPUB_TRUST": str(trust)})


@pytest.fixture(scope="session")
def ssh_key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ssh") / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path
