"""The processes of a running service, as the kernel knows them."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

from deploy.demo.world import World

MODULES = {
    "keeper": b"hsmpub.keeper.main",
    "log-writer": b"hsmpub.tlog.writing",
    "worker": b"hsmpub.hsm.worker",
    "front": b"api.main",
    "courier": b"hsmpub.courier.main",
    "child": b"hsmpub.courier.child",
}


def supervisor(world: World) -> int:
    assert world.service is not None
    assert world.service._process is not None
    return world.service._process.pid


def everything(world: World) -> list[int]:
    """The supervisor and all that descends from it."""
    found = [supervisor(world)]
    for pid in found:
        found += _children(pid)
    return found


def of(world: World, role: str) -> list[int]:
    """Process ids of this role: keeper, front, courier, worker, log-writer, child."""
    return [pid for pid in everything(world)[1:] if MODULES[role] in read(pid, "cmdline")]


def one(world: World, role: str) -> int:
    [pid] = of(world, role)
    return pid


def read(pid: int, name: str) -> bytes:
    """A file of /proc/PID, empty when the process is gone."""
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def kill(pids: Iterable[int], number: int = signal.SIGKILL) -> None:
    """Sends a signal, and returns when all of them are gone."""
    with ExitStack() as stack:
        watches = []
        for pid in pids:
            try:
                watch = os.pidfd_open(pid)
            except ProcessLookupError:
                continue
            stack.callback(os.close, watch)
            watches.append(watch)
        for watch in watches:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(watch, number)
        wait_for(watches)


def wait_for(watches: Iterable[int], seconds: float = 90) -> None:
    """Until the processes of these pidfds are gone."""
    for watch in watches:
        assert select.select([watch], [], [], seconds)[0], "a process did not end"


def forget_memory_peak(pid: int) -> None:
    """From now on `memory_peak` starts from what is in use. Source: proc_pid_clear_refs(5)."""
    with suppress(OSError):  # then the peak so far stays: the test sees less, and says nothing wrong
        Path(f"/proc/{pid}/clear_refs").write_text("5")


def memory_peak(pid: int) -> int:
    """Bytes of memory that the process had at most since it started (VmHWM)."""
    for line in read(pid, "status").splitlines():
        if line.startswith(b"VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("the process is gone")


def readable_memory(pid: int) -> Iterator[bytes]:
    """What another process can read of this one's memory, in pieces that overlap. Raises OSError: nothing."""
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in read(pid, "maps").splitlines():
            span, rights, *_ = line.split()
            start, end = (int(part, 16) for part in span.split(b"-"))
            if not rights.startswith(b"rw") or b"[v" in line:
                continue
            while start < end:
                try:
                    memory.seek(start)
                    piece = memory.read(min(end - start, 1 << 20))
                except (OSError, ValueError):
                    break
                yield piece
                start += max(len(piece) - 4096, 4096)


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(child) for child in path.read_text().split()]
        except OSError:
            continue
    return found
