"""Invariant I1, where only the order of system calls shows it: what is acknowledged was synced before.

Killing a process does not show it: the kernel keeps what was written. `synchronous=NORMAL` passes every kill test.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from logs import Place
from test_log_crash import appender

_CALL = re.compile(r"^(?P<pid>\d+) +(?P<name>\w+)\(\d+<(?P<path>[^>]*)>(?:, \"(?P<data>(?:\\x[0-9a-f]{2})*)\")?")
_RESUMED = re.compile(r"^(?P<pid>\d+) +<\.\.\. \w+ resumed>")


@dataclass(frozen=True)
class Effect:
    """A write, from when it began, or a sync, from when it was over."""

    is_sync: bool
    file: str
    data: bytes

    @property
    def acknowledged(self) -> int | None:
        """The index that the appender says was acknowledged."""
        return int(self.data[4:]) if self.data.startswith(b"ack ") else None


def can_trace() -> str:
    """Why strace cannot be used here, or nothing."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    tried = subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, check=False)
    return "" if tried.returncode == 0 else "strace may not trace here"


needs_strace = pytest.mark.skipif(bool(can_trace()), reason=can_trace() or "strace works")


def trace(place: Place, out: Path, *extra: str, each: int = 30, callers: int = 4) -> tuple[list[str], list[str]]:
    """What the appender said, and the system calls of all its processes, on a new log of one entry."""
    place.create(1).close()
    before = (
        "strace",
        "-f",
        "-y",
        "-qq",
        "-xx",
        "-s",
        "96",
        "-o",
        str(out),
        "-e",
        "trace=write,pwrite64,fsync,fdatasync",
        *extra,
    )
    process = appender(place, callers, each, before=before)
    said, trouble = process.communicate(timeout=100)
    assert "Traceback" not in trouble or extra
    return said.split("\n")[:-1], out.read_text(errors="replace").split("\n")


def effects(lines: list[str]) -> Iterator[Effect]:
    """What the system calls did, in its order."""
    waiting: dict[str, Effect] = {}
    for line in lines:
        if match := _RESUMED.match(line):
            if match["pid"] in waiting:
                assert line.endswith("= 0"), line
                yield waiting.pop(match["pid"])
        elif match := _CALL.match(line):
            data = bytes.fromhex((match["data"] or "").replace("\\x", ""))
            path = bytes.fromhex(match["path"].replace("\\x", "")).decode() if "\\x" in match["path"] else match["path"]
            effect = Effect(match["name"] in ("fsync", "fdatasync"), Path(path).name, data)
            if effect.is_sync and line.endswith("<unfinished ...>"):
                waiting[match["pid"]] = effect
            else:
                yield effect


@needs_strace
@pytest.mark.parametrize("callers", [1, 4])
def test_nothing_is_acknowledged_before_rows_and_head_are_synced(either: Place, callers: int) -> None:
    """Rows written, rows synced, head written, head synced; only then an acknowledgement of what that head covers."""
    said, lines = trace(either, either.folder / "trace", callers=callers, each=60 // callers)
    assert said[-1] == "end"
    rows_dirty, written, covered, acknowledged = False, 0, 0, []
    for effect in effects(lines):
        if effect.file == "log.sqlite-wal":
            rows_dirty = not effect.is_sync
        elif effect.file == "head" and not effect.is_sync:
            assert not rows_dirty, "the head was written before the rows were synced"
            written = int.from_bytes(effect.data[8:16], "big")
        elif effect.file == "head":
            covered = written
        elif effect.acknowledged is not None:
            assert effect.acknowledged < covered, "acknowledged before the head that covers it was synced"
            acknowledged.append(effect.acknowledged)
    assert acknowledged == list(range(1, 61))
    assert covered == 61


@needs_strace
@pytest.mark.parametrize("fault", [
    "fdatasync:error=EIO:when=9", "fdatasync:error=ENOSPC:when=12", "pwrite64:error=ENOSPC:when=60",
    "pwrite64:error=EIO:when=75", "fdatasync:signal=SIGKILL:when=11", "pwrite64:signal=SIGKILL:when=66",
    "fdatasync:error=EIO:when=8+", "pwrite64:error=ENOSPC:when=50+",
])  # fmt: skip
def test_a_fault_at_any_call_loses_nothing_that_was_acknowledged(place: Place, fault: str) -> None:
    said, _ = trace(place, place.folder / "trace", "-e", f"inject={fault}", callers=2, each=20)
    acknowledged = [int(line.split()[1]) for line in said if line.startswith("ack ")]
    assert len(acknowledged) < 40
    log = place.open()
    assert log.size > max(acknowledged, default=0)
    assert sum(1 for _ in log.iterate()) == log.size
    log.close()
