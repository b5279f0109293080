"""A front that runs: real HTTP on loopback, a fake keeper behind it, both in one thread of this process."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import httpx
import uvloop
from fake_keeper import FakeKeeper

from api.main import bind, server
from api.settings import Settings
from hsmpub.config import FrontSection
from hsmpub.home import Home
from hsmpub.receipt import ReceiptBuilder
from hsmpub.tlog.reader import LogReader

T = TypeVar("T")


class Running:
    """url: of the front. keeper: to script and to look at. home: its folders."""

    def __init__(
        self, home: Home, caps: FrontSection, *, keeper: bool = True, protections: dict[str, str] | None = None
    ) -> None:
        self.home = home
        self.keeper = FakeKeeper(home.front_socket)
        self._with_keeper = keeper
        self._listener = bind("127.0.0.1:0")
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.server = server(Settings(home, caps), protections)
        self._log = home.root / "front.log"
        self._app().state.front.log.fd = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()  # as the front's own process has it
        self._up = threading.Event()
        self._thread = threading.Thread(target=self._run, name="front")

    def do(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine beside the front."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    def close_the_short_way(self) -> None:
        """From now on every request passes the router and all layers."""
        self._app().state.short_way.is_open = False

    def _app(self) -> Any:
        return self.server.config.app

    def serve(self, log: LogReader) -> None:
        """Serves this log, and not the one of its home."""
        self._app().state.front.log_reader._open = log, ReceiptBuilder(log)

    def logged(self) -> str:
        """What the front has logged, once every request that was answered is also logged."""
        self.settle()
        return self._log.read_text()

    def settle(self) -> None:
        """Waits for the requests that are under way, their lines in the log included."""

        async def settled() -> None:
            for task in list(self.server.server_state.tasks):
                await asyncio.wait([task])

        self.do(settled())

    def start(self) -> None:
        self._thread.start()
        assert self._up.wait(30)
        with httpx.Client(base_url=self.url, trust_env=False) as client:  # the listener queues it until it is served
            client.get("/openapi.json")

    def stop(self) -> None:
        self.server.should_exit = True
        self._thread.join(30)
        self._listener.close()
        os.close(self._app().state.front.log.fd)

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        if self._with_keeper:
            await self.keeper.start()
        self._up.set()
        await self.server.serve(sockets=[self._listener])
        await self.keeper.stop()


@contextmanager
def running(
    prepare: Callable[[Home], None] | None = None,
    *,
    keeper: bool = True,
    protections: dict[str, str] | None = None,
    **caps: Any,
) -> Iterator[Running]:
    """A front with these caps, in a home of its own. The path is short: sockets' names are."""
    with TemporaryDirectory(prefix="hsmpub-") as folder:
        home = Home(Path(folder))
        home.run.mkdir(parents=True)
        home.artifacts.mkdir()
        if prepare is not None:
            prepare(home)
        front = Running(home, FrontSection(**caps), keeper=keeper, protections=protections)
        front.start()
        try:
            yield front
        finally:
            front.stop()
