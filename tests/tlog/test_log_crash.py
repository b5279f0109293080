"""Kills, full disks and failing disks: nothing acknowledged is lost, and the log works on when it can."""

from __future__ import annotations

import asyncio
import errno
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from logs import Place, entries, entry, memory_log

from hsmpub.tlog.memory import MemoryStore
from hsmpub.tlog.reader import LogReader
from hsmpub.tlog.rules import LogUnavailable
from hsmpub.tlog.store import Commit, Stamp

HERE = Path(__file__).parent


def appender(place: Place, *arguments: object, before: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE.parents[1]), str(HERE)])}
    command = [*before, sys.executable, str(HERE / "appender.py"), str(place.folder), place.who, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def test_a_crash_between_commit_and_head_is_accepted_and_the_head_moves_on(either: Place) -> None:
    log = either.create(300)
    before = either.head.read_bytes()
    asyncio.run(log.append(entries(300, 310)))
    log.close()
    either.head.write_bytes(before)  # as if the crash had come right before it was written
    log = either.open()
    assert log.size == 310
    assert [data for _, data in log.iterate()] == entries(0, 310)
    log.close()
    assert either.head.read_bytes() != before
    either.open().close()


def test_a_head_torn_by_a_crash_is_survived(either: Place) -> None:
    log = either.create(3)
    for i in range(3, 6):
        before = either.head.read_bytes()
        asyncio.run(log.append([entry(i)]))
    log.close()
    after = either.head.read_bytes()
    changed = [at for at in range(len(after)) if before[at] != after[at]]
    middle = (changed[0] + changed[-1]) // 2
    either.head.write_bytes(after[:middle] + before[middle:])
    log = either.open()
    assert [data for _, data in log.iterate()] == entries(0, 6)
    log.close()


def test_whatever_was_acknowledged_survives_kill_9(either: Place) -> None:
    acknowledged = 0
    for _ in range(4):
        process = appender(either, 8, 100_000)
        assert process.stdout is not None
        for _ in range(random.randrange(20, 400)):
            line = process.stdout.readline()
            if line.startswith("ack "):
                acknowledged = max(acknowledged, int(line.split()[1]))
        process.send_signal(signal.SIGKILL)
        rest, trouble = process.communicate()
        assert trouble == ""
        whole = [line for line in rest.split("\n")[:-1] if line.startswith("ack ")]
        acknowledged = max([acknowledged, *(int(line.split()[1]) for line in whole)])
        reader = LogReader.open(either.db)  # before any keeper has tidied up
        assert reader.size > acknowledged
        reader.close()
    log = either.open()
    assert log.size > acknowledged > 0
    assert sum(1 for _ in log.iterate()) == log.size
    log.close()


def test_a_full_disk_refuses_loses_nothing_and_takes_more_when_there_is_room(either: Place) -> None:
    process = appender(either, 0, 0, 1_000_000)
    said, trouble = process.communicate(timeout=60)
    assert trouble == ""
    lines = said.split("\n")[:-1]
    assert lines.count("refused log-unavailable") == 1
    assert lines[-1] == "end"
    acknowledged = [int(line.split()[1]) for line in lines if line.startswith("ack ")]
    assert acknowledged == list(range(1, len(acknowledged) + 1))
    log = either.open()
    assert log.size == len(acknowledged) + 1
    assert list(log.iterate())[-1][1] == b"room again"
    log.close()


class FailingStore(MemoryStore):
    """Fails as told: before it keeps anything, or after (what SQLite may do when a sync fails)."""

    def __init__(self) -> None:
        super().__init__()
        self.fails = ""

    def commit(self, commit: Commit) -> None:
        if self.fails == "before":
            raise LogUnavailable("no room")
        super().commit(commit)
        if self.fails in ("after", "after, and no way back"):
            raise LogUnavailable("the sync failed")

    def rewind(self, stamp: Stamp) -> None:
        if self.fails == "after, and no way back":
            raise LogUnavailable("no way back either")
        super().rewind(stamp)


@pytest.mark.parametrize("fails", ["before", "after", "after, and no way back"])
def test_a_failing_store_acknowledges_nothing_and_poisons_nothing(tmp_path: Path, fails: str) -> None:
    store = FailingStore()
    log = memory_log(tmp_path, store)

    async def run() -> None:
        await log.append(entries(0, 300))
        held = log.head
        store.fails = fails
        for _ in range(2):
            refused = await asyncio.gather(*[log.append([b"lost"] * 5) for _ in range(4)], return_exceptions=True)
            assert [type(r) for r in refused] == [LogUnavailable] * 4
            assert log.head == held
            assert log.read(299) == entry(299)
        store.fails = ""
        assert await log.append(entries(300, 302)) == 300

    asyncio.run(run())
    assert [data for _, data in log.iterate()] == entries(0, 302)
    assert store.size() == 302
    log.close()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_head_that_cannot_be_synced_takes_the_commit_back(
    place: Place, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    log = place.create(3)

    def fail(_: int) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        patched.setattr("hsmpub.tlog.head.os.fdatasync", fail)
        with pytest.raises(LogUnavailable):
            asyncio.run(log.append([b"lost"]))
    assert log.size == 3
    assert log.reader().size == 3
    log.close()
    again = place.open()  # nothing half-done is in the way of a restart
    assert asyncio.run(again.append([entry(3)])) == 3
    assert [data for _, data in again.iterate()] == entries(0, 4)
    again.close()
    place.open().close()
