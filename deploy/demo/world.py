"""What stands on the demo's stage: people, the outside servers, and the running service."""

from __future__ import annotations

import json
import os
import re
import selectors
import signal
import subprocess
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from deploy.demo.people import People
from deploy.demo.servers.devpi import Devpi
from deploy.demo.servers.git_http import GitServer
from deploy.demo.servers.issuer import Issuer
from deploy.demo.stage import DemoFailed, Env, Stage


class Service(AbstractContextManager["Service"]):
    """`hsmpub serve`, run as an operator runs it, stopped by its process id."""

    def __init__(self, stage: Stage, home: Path, *, port: int = 0) -> None:
        """port: 0: any that is free."""
        self._stage = stage
        self.home = home
        self.url = ""
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def __enter__(self) -> Service:
        self._log = (self._stage.root / "service.log").open("ab")
        self._process = subprocess.Popen(
            [self._stage.bin / "hsmpub", "serve", "--home", self.home, "--listen", f"127.0.0.1:{self._port}"],
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=self._stage.environment,
            cwd=self._stage.root,
        )
        self.url = self._wait_for_url(30)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(30)
            if self._process.stdout is not None:
                self._process.stdout.close()
        self._log.close()

    def wait(self) -> None:
        """Until it ends by itself, or Ctrl-C."""
        assert self._process is not None
        self._process.wait()

    def _wait_for_url(self, seconds: float) -> str:
        """The line in which the service says where it listens."""
        assert self._process is not None
        assert self._process.stdout is not None
        fd, text, until = self._process.stdout.fileno(), "", time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(fd, selectors.EVENT_READ)
            while time.monotonic() < until and selector.select(until - time.monotonic()):
                part = os.read(fd, 4096)
                if not part:
                    break
                text += part.decode(errors="replace")
                if found := re.search(r"http://[\w.:\[\]]+", text):
                    return found[0]
        raise DemoFailed(f"the service did not come up: see {self._stage.root / 'service.log'}")


@dataclass
class World:
    """Everything that the acts share."""

    stage: Stage
    people: People
    issuer: Issuer
    index: Devpi
    git: GitServer
    home: Path
    index_password: bytes = field(repr=False)
    git_password: bytes = field(repr=False)
    commit: str = ""
    version: str = ""
    request: str = ""
    service: Service | None = None

    @property
    def trust(self) -> Path:
        return self.home / "trust.json"

    @property
    def outputs(self) -> Path:
        return self.stage.root / "release"

    def hsmpub(self, *arguments: str | Path, stdin: bytes | None = None, env: Env = None) -> str:
        """Runs `hsmpub` against the running service."""
        return self.stage.run(self.stage.bin / "hsmpub", *arguments, stdin=stdin, env=self._env(env))

    def hsmpub_refused(self, *arguments: str | Path, stdin: bytes | None = None, env: Env = None) -> str:
        return self.stage.run_refused(self.stage.bin / "hsmpub", *arguments, stdin=stdin, env=self._env(env))

    @property
    def pid(self) -> int:
        """Process id of the running service's supervisor."""
        assert self.service is not None
        return self.service.pid

    def json(self, *arguments: str | Path) -> object:
        return json.loads(self.hsmpub(*arguments, "--json"))

    def state(self) -> str:
        """`sealed` or `unsealed`."""
        answer = self.json("status")
        assert isinstance(answer, dict)
        return str(answer["state"])

    def ci(self, **claims: str) -> dict[str, str]:
        """The environment of a CI job with these claims."""
        return self.issuer.job(**claims).environment

    def _env(self, env: Env) -> dict[str, str]:
        settings = {"HSMPUB_TRUST": str(self.trust)}
        if self.service is not None:
            settings["HSMPUB_URL"] = self.service.url
        return {**settings, **(env or {})}
