"""The front as a process of its own: started as the supervisor does it, hardened, ended by its pid."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import httpx
import pytest
from fake_keeper import FakeKeeper
from running import running

from api.main import bind
from hsmpub.client.client import Client
from hsmpub.home import Home
from hsmpub.model.trust import Trust
from hsmpub.sandbox import python_command

CONFIG = '[hsm]\nmodule = "none"\ntoken = "none"\n'


class Source:
    def token(self, audience: str) -> str:
        return "header.claims.signature"


@dataclass
class FrontProcess:
    url: str
    keeper: FakeKeeper
    process: subprocess.Popen[str]
    told: IO[str]

    @property
    def memory(self) -> int:
        """Its largest resident size so far, in KiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0])


@contextmanager
def front_process(home: Home, keeper: FakeKeeper) -> Iterator[FrontProcess]:
    listener = bind("127.0.0.1:0")
    home.config.write_text(CONFIG)
    command = [*python_command("api.main"), str(home.root), f"fd:{listener.fileno()}"]
    process = subprocess.Popen(command, pass_fds=[listener.fileno()], stderr=subprocess.PIPE, text=True)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    listener.close()
    assert process.stderr is not None
    try:
        yield FrontProcess(url, keeper, process, process.stderr)
    finally:
        process.terminate()
        process.communicate(timeout=30)


@pytest.fixture(scope="module")
def process() -> Iterator[FrontProcess]:
    """A front process; the keeper behind it is the one of a front in this process."""
    with running() as beside, front_process(beside.home, beside.keeper) as up:
        yield up


def test_says_where_it_listens_and_what_protects_it(process: FrontProcess) -> None:
    line = json.loads(process.told.readline())
    assert f"http://{line['listen']}" == process.url
    assert line["protections"]["no-core-file"] == "on"
    assert line["protections"]["no-debugger"] == "on"
    assert all(isinstance(why, str) for why in line["protections"].values())
    assert httpx.get(f"{process.url}/healthz", trust_env=False).json() == {"front": "ok", "keeper": "ok"}


def test_a_large_upload_takes_constant_memory(process: FrontProcess) -> None:
    """300 MiB through the front: its memory grows by less than a tenth of that."""
    piece, count = bytes(1 << 20), 300
    with Client(process.url, Trust("hsmpub-test", "log-key", process.keeper.keeper_key, ())) as client:
        headers = {"hsmpub-session": client.open_session(Source()).id}
        client.http.raw("PUT", "/v1/artifacts", content=piece, headers=headers)
        before = process.memory
        answer = client.http.raw("PUT", "/v1/artifacts", content=(piece for _ in range(count)), headers=headers)
        grown = process.memory - before
    expected = hashlib.sha256()
    for _ in range(count):
        expected.update(piece)
    assert json.loads(answer) == {"sha256": expected.hexdigest(), "size": count << 20}
    assert grown < 30 * 1024, f"the front grew by {grown} KiB"


@pytest.mark.parametrize("words", [[], ["/nowhere"], ["/nowhere", "nonsense"], ["/nowhere", "127.0.0.1:http"]])
def test_refuses_to_start_on_arguments_that_it_does_not_understand(words: list[str]) -> None:
    done = subprocess.run([*python_command("api.main"), *words], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_refuses_a_configuration_with_a_typo(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(f"{CONFIG}[front]\nmax_uplaods = 3\n")
    command = [*python_command("api.main"), str(tmp_path), "127.0.0.1:0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ})
    assert done.returncode == 1
    assert "config.toml: front.max_uplaods" in done.stderr
