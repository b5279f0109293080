"""The courier's process.

    python -I -S … hsmpub.courier.main HOME [--courier-token-fd N]

One thread asks the keeper for jobs and starts their workflows, one keeps the issuers' keys fresh; DBOS runs the
workflows in threads of its own. Killed at any point, the next one finds what was begun and goes on.
"""

from __future__ import annotations

import argparse
import fcntl
import logging
import os
import queue
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer

from hsmpub.courier.delivery import Delivery
from hsmpub.courier.issuers import Issuers
from hsmpub.courier.line import ask
from hsmpub.courier.patience import Patience
from hsmpub.courier.rounds import Rounds
from hsmpub.courier.spawn import Children
from hsmpub.courier.workflow import PublishWorkflow
from hsmpub.errors import HsmpubError
from hsmpub.home import Home
from hsmpub.logs import log_to_stderr
from hsmpub.sandbox import harden

log = logging.getLogger("hsmpub.courier")

#: Raised only when the stages of a workflow change, so that an upgraded courier takes over what the last one began.
NETWORK_ROLE = "this role needs the network"
WORKFLOW_VERSION = "publish-1"


def main() -> int:
    parser = argparse.ArgumentParser(prog="hsmpub-courier")
    parser.add_argument("home", type=Path)
    parser.add_argument("--courier-token-fd", type=int, default=-1)
    options = parser.parse_args(sys.argv[1:])
    return run(Home(options.home.resolve()), _read_token(options.courier_token_fd), Patience())


def run(home: Home, token: bytes, patience: Patience) -> int:
    """Runs until SIGTERM or SIGINT. token: 32 bytes, or empty where uids tell the keeper's channels apart."""
    log_to_stderr("courier")
    work = home.courier / "work"
    work.mkdir(mode=0o700, parents=True, exist_ok=True)
    report = harden("courier", read=_readable(home), write=[str(home.courier)])
    for name, state in report.items():
        if state != "on":
            log.info("protection %s is off: %s", name, state)
    stop = stop_by_signal()  # begins a thread, which has the same sandbox only from here on
    lock = _locked(home.courier / "lock", stop)
    if lock < 0:
        return 0
    shutil.rmtree(work)
    work.mkdir(mode=0o700)
    children = Children(token, lock)
    delivery = Delivery(
        ask=lambda message: ask(str(home.courier_socket), token, message),
        run=children.run,
        socket=home.courier_socket,
        artifacts=home.artifacts,
        work=work,
        patience=patience,
    )
    issuers = Issuers(delivery.ask, delivery.run, patience, time.monotonic, _told(report))
    threading.Thread(target=_repeat, args=(issuers.refresh, max(1.0, patience.poll), stop), daemon=True).start()
    rounds = Rounds(launch(home, delivery), patience, time.monotonic)
    _repeat(lambda: rounds.start(delivery.jobs()), patience.poll, stop)
    log.info("stopped; what was under way goes on at the next start")
    sys.stderr.flush()
    # threads of workflows may sleep for long; a stop is no different from a crash, and both are made for
    os._exit(0)


def stop_by_signal() -> threading.Event:
    """Is set after SIGTERM or SIGINT, by a thread: a handler that sets it runs in the thread that waits for it, and a
    second signal, or one at the wrong moment, would wait for a lock that its own thread holds. A SimpleQueue may be put
    to at any moment."""
    stop = threading.Event()
    told: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: told.put(number))

    def pass_on() -> None:
        told.get()
        stop.set()

    threading.Thread(target=pass_on, daemon=True).start()
    return stop


def _told(report: dict[str, str]) -> dict[str, str]:
    """What the keeper hears of this process's protections; that it has the network is its role, not a lack."""
    return {name: state for name, state in report.items() if state != NETWORK_ROLE}


def launch(home: Home, delivery: Delivery) -> PublishWorkflow:
    """Starts DBOS on the home's SQLite file; it takes up what the last process left unfinished."""
    DBOS(
        config=DBOSConfig(
            name="hsmpub-courier",
            system_database_url=f"sqlite:///{home.courier / 'workflows.sqlite'}",
            serializer=DBOSPortableJSONSerializer(),
            application_version=WORKFLOW_VERSION,
            executor_id="courier",
            log_level="WARNING",
            notification_listener_polling_interval_sec=5.0,
        )
    )
    workflow = PublishWorkflow(delivery)
    DBOS.launch()
    return workflow


def _repeat(what: Callable[[], None], every: float, stop: threading.Event) -> None:
    """Does it again and again; says once when the keeper is away, and once when it is back."""
    away = ""
    while not stop.is_set():
        try:
            what()
            if away:
                log.info("the keeper answers again")
            away = ""
        except HsmpubError as error:
            if error.rule != away:
                log.warning("waiting: %s", error.detail)
            away = error.rule
        except Exception:
            log.exception("a turn of the courier failed; the next one begins soon")
            stop.wait(1.0)
        stop.wait(every)


def _locked(path: Path, stop: threading.Event) -> int:
    """The lock's descriptor, once no other courier and no child of one is left; -1 when stopped meanwhile."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    while not stop.is_set():
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stop.wait(0.1)
        else:
            return fd
    return -1


def _readable(home: Home) -> list[str]:
    certificates = [os.environ[name] for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if name in os.environ]
    return [str(home.artifacts), str(home.run), *certificates]


def _read_token(fd: int) -> bytes:
    """The courier channel's token, from a pipe that only the keeper and the courier inherit."""
    if fd < 0:
        return b""
    with os.fdopen(fd, "rb") as pipe:
        return pipe.read(32)


if __name__ == "__main__":
    raise SystemExit(main())
