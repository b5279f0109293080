"""Starts keeper, front and courier on the embedded defaults, starts them again when they die, stops them all.

Each is a process of its own, so that the front can be upgraded or crash without sealing the keeper. The
supervisor holds no secret: it makes the courier channel's token and writes it into two pipes.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import fcntl
import os
import secrets
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field

from hsmpub.errors import Conflict
from hsmpub.home import Home
from hsmpub.listening import listen_at
from hsmpub.sandbox import hide, python_command

_PR_SET_PDEATHSIG = 1
_MAY_NOT_START = 1
#: The first starts, after which there is no other; the second gives an older keeper time to end.
_TRIES = 2
#: A process that lived this long (seconds) is started again at once; others wait as long.
_STEADY = 5.0
#: Seconds between two looks for the keeper's socket.
_LOOK = 0.05


class HomeInUse(Conflict):
    advice = "One service runs on one home; stop the other one first."


@dataclass
class _Part:
    """One process: how it is started, and the one that runs now."""

    name: str
    module: str
    arguments: Callable[[], tuple[list[str], list[int]]]
    process: asyncio.subprocess.Process | None = None
    starts: int = field(default=0)
    refused: int = field(default=0)


class Supervisor:
    """Runs one service until `stop`.

    Args:
        home: the service's home.
        listen: `host:port` for the front; port 0 takes a free one.
    """

    def __init__(self, home: Home, listen: str) -> None:
        self._home = home
        self._token = secrets.token_bytes(32)
        self._socket = listen_at(listen)
        self._socket.set_inheritable(True)
        self._stopping = False
        self._lock = -1
        self.parts = [
            _Part("keeper", "hsmpub.keeper.main", self._with_token),
            _Part("front", "api.main", lambda: ([f"fd:{self._socket.fileno()}"], [self._socket.fileno()])),
            _Part("courier", "hsmpub.courier.main", self._with_token),
        ]
        self._watchers: list[asyncio.Task[None]] = []
        #: the keeper never ran: it said at each of its first starts that it may not
        self.gave_up = asyncio.Event()

    @property
    def url(self) -> str:
        host, port = self._socket.getsockname()[:2]
        return f"http://{host}:{port}"

    async def start(self) -> None:
        """Starts all three.

        Raises:
            HomeInUse: two couriers on one workflow database would take each other's work.
        """
        hide()  # the token is here as well
        self._home.run.mkdir(mode=0o700, exist_ok=True)
        self._lock = os.open(self._home.serve_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise HomeInUse(f"Another 'hsmpub serve' runs on {self._home.root}.") from None
        for part in self.parts:
            await self._spawn(part)
            self._watchers.append(asyncio.get_running_loop().create_task(self._watch(part)))

    async def keeper_answers(self) -> None:
        """Returns once the keeper takes connections: what holders send before that is refused."""
        while True:
            try:
                _, writer = await asyncio.open_unix_connection(str(self._home.front_socket))
            except OSError:
                await asyncio.sleep(_LOOK)
            else:
                writer.close()
                return

    async def stop(self) -> None:
        """Ends all three, the front first, and waits for them."""
        self._stopping = True
        for watcher in self._watchers:
            watcher.cancel()
        for name in ("front", "courier", "keeper"):
            await _end(next(part for part in self.parts if part.name == name))
        self._socket.close()
        if self._lock >= 0:
            os.close(self._lock)

    async def _spawn(self, part: _Part) -> None:
        arguments, fds = part.arguments()
        part.process = await asyncio.create_subprocess_exec(
            *python_command(part.module),
            str(self._home.root),
            *arguments,
            pass_fds=fds,
            stdin=asyncio.subprocess.DEVNULL,
            env=_environment(),
            preexec_fn=_die_with_parent,
        )
        part.starts += 1
        for fd in fds:
            if fd != self._socket.fileno():
                os.close(fd)

    async def _watch(self, part: _Part) -> None:
        loop = asyncio.get_running_loop()
        while True:
            assert part.process is not None
            began = loop.time()
            status = await part.process.wait()
            if self._stopping:
                return
            part.refused += status == _MAY_NOT_START and loop.time() - began < _STEADY
            if part.name == "keeper" and part.refused == part.starts == _TRIES:
                self.gave_up.set()
                return
            print(f"{part.name} ended with status {status}; starting it again", file=sys.stderr)
            if loop.time() - began < _STEADY:
                await asyncio.sleep(_STEADY)
            await self._spawn(part)

    def _with_token(self) -> tuple[list[str], list[int]]:
        reading, writing = os.pipe()
        os.write(writing, self._token)
        os.close(writing)
        return ["--courier-token-fd", str(reading)], [reading]


def _environment() -> dict[str, str]:
    """Only what a process needs: no stray variable, no proxy, no credential of the person who started it."""
    wanted = ("PATH", "LANG", "LC_ALL", "TZ", "HOME", "TMPDIR", "SSL_CERT_FILE")
    return {name: os.environ[name] for name in wanted if name in os.environ}


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


async def _end(part: _Part) -> None:
    process = part.process
    if process is None or process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), 10)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
