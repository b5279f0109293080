"""`hsmpub serve`: front, keeper and courier on the embedded defaults, until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated

import typer

from hsmpub.config import load_config
from hsmpub.errors import Conflict
from hsmpub.home import Home
from hsmpub.supervisor import Supervisor

#: So long the address is not told while the keeper reads its log; then it is, and says itself what is missing.
START_SECONDS = 20.0


class KeeperDidNotStart(Conflict):
    advice = "See above what the keeper said, mend that, and start again."


def serve(
    home: Annotated[Path, typer.Option(help="Folder that the genesis ceremony made.", envvar="HSMPUB_HOME")],
    listen: Annotated[str, typer.Option(help="host:port of the front; port 0 takes a free one.")] = "",
) -> None:
    """Run the service. It starts sealed: holders hand in their shares with 'hsmpub unseal'."""
    place = Home(home.resolve())
    config = load_config(place)
    asyncio.run(_run(place, listen or config.front.listen))


async def _run(home: Home, listen: str) -> None:
    supervisor = Supervisor(home, listen)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await supervisor.start()
    try:
        await _first_of(stop.wait(), supervisor.gave_up.wait(), supervisor.keeper_answers(), seconds=START_SECONDS)
        if not (stop.is_set() or supervisor.gave_up.is_set()):
            print(f"hsmpub listens on {supervisor.url}, sealed. Stop it with Ctrl-C.", flush=True)
        await _first_of(stop.wait(), supervisor.gave_up.wait())
    finally:
        await supervisor.stop()
    if supervisor.gave_up.is_set():
        raise KeeperDidNotStart("The keeper may not run on this home.")


async def _first_of(*waits: Coroutine[None, None, object], seconds: float | None = None) -> None:
    """Returns when one of them has, or after so many seconds; the others are given up."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
