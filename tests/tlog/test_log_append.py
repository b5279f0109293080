"""Appending: durable, in order, together; one log for many callers."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest
from logs import Place, entries, entry, memory_log, root_of, sign

from hsmpub.model.entry import EntryTooLarge
from hsmpub.tlog.memory import MemoryStore
from hsmpub.tlog.merkle import EMPTY_ROOT, leaf_hash
from hsmpub.tlog.rules import LogAbsent, LogClosed, LogExists, LogInUse, NotInLog
from hsmpub.tlog.store import Commit


class SlowStore(MemoryStore):
    """Counts commits, and holds them until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.go, self.begun = threading.Event(), threading.Event()
        self.go.set()
        self.commits: list[int] = []

    def commit(self, commit: Commit) -> None:
        self.begun.set()
        assert self.go.wait(60)
        self.commits.append(len(commit.entries))
        super().commit(commit)


def root(stop: int) -> bytes:
    return root_of([leaf_hash(entry(i)) for i in range(stop)])


def test_what_was_appended_is_there_after_a_restart(either: Place) -> None:
    log = either.create(3)

    async def run() -> None:
        assert await log.append(entries(3, 5)) == 3
        assert await log.append(entries(5, 300)) == 5

    asyncio.run(run())
    assert log.head == (300, root(300))
    log.close()
    again = either.open()
    assert again.head == (300, root(300))
    assert list(again.iterate()) == list(enumerate(entries(0, 300)))
    assert list(again.iterate(298)) == [(298, entry(298)), (299, entry(299))]
    again.close()


def test_an_empty_log_can_be_opened(either: Place) -> None:
    either.create().close()
    log = either.open()
    assert (log.size, log.root, list(log.iterate())) == (0, EMPTY_ROOT, [])
    log.close()


def test_concurrent_appends_lose_nothing_and_return_in_order(either: Place) -> None:
    log = either.create()
    returned: list[int] = []

    async def caller(name: int) -> None:
        for i in range(20):
            index = await log.append([b"%d/%d/a" % (name, i), b"%d/%d/b" % (name, i)])
            returned.append(index)
            assert log.read(index) == b"%d/%d/a" % (name, i)
            assert log.read(index + 1) == b"%d/%d/b" % (name, i)

    async def run() -> None:
        await asyncio.gather(*[caller(name) for name in range(30)])

    asyncio.run(run())
    assert returned == list(range(0, 1200, 2))
    assert log.size == 1200
    log.close()


def test_whatever_waits_shares_one_commit(tmp_path: Path) -> None:
    store = SlowStore()
    log = memory_log(tmp_path, store)
    store.commits.clear()

    async def run() -> None:
        store.go.clear()
        store.begun.clear()
        first = asyncio.create_task(log.append([b"first"]))
        await asyncio.to_thread(store.begun.wait, 60)
        rest = [asyncio.create_task(log.append([b"%d" % i])) for i in range(50)]
        await asyncio.sleep(0)
        store.go.set()
        assert [await task for task in [first, *rest]] == list(range(51))

    asyncio.run(run())
    assert store.commits == [1, 50]
    log.close()


def test_a_caller_that_is_cancelled_has_logged_all_the_same(tmp_path: Path) -> None:
    store = SlowStore()
    log = memory_log(tmp_path, store)

    async def run() -> None:
        store.go.clear()
        task = asyncio.create_task(log.append([b"given up"]))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        store.go.set()
        assert await log.append([b"next"]) == 1

    asyncio.run(run())
    assert log.read(0) == b"given up"
    log.close()


def test_the_event_loop_runs_on_while_a_commit_waits_for_the_disk(tmp_path: Path) -> None:
    store = SlowStore()
    log = memory_log(tmp_path, store)

    async def run() -> None:
        store.go.clear()
        task = asyncio.create_task(log.append([b"x"]))
        for _ in range(100):
            await asyncio.sleep(0)
        assert not task.done()
        assert log.size == 0
        store.go.set()
        await task

    asyncio.run(run())
    log.close()


def test_entries_of_one_append_stay_together_over_the_cap_of_a_commit(tmp_path: Path) -> None:
    store = SlowStore()
    log = memory_log(tmp_path, store)
    assert asyncio.run(log.append(entries(0, 10_000))) == 0
    assert log.head == (10_000, root(10_000))
    log.close()


def test_refuses_an_entry_over_65_535_bytes_and_logs_none_of_its_company(either: Place) -> None:
    log = either.create(1)
    with pytest.raises(EntryTooLarge):
        asyncio.run(log.append([b"ok", b"x" * 65_536]))
    assert asyncio.run(log.append([b"x" * 65_535])) == 1
    assert log.read(1) == b"x" * 65_535
    log.close()


def test_refuses_reads_beyond_the_log(either: Place) -> None:
    log = either.create(3)
    for index in (-1, 3, 10**9):
        with pytest.raises(NotInLog):
            log.read(index)
    log.close()


def test_a_closed_log_refuses_and_has_kept_what_was_queued(either: Place) -> None:
    log = either.create(1)

    async def run() -> None:
        queued = [asyncio.create_task(log.append([entry(1 + i)])) for i in range(20)]
        await asyncio.sleep(0)
        log.close()
        assert [await task for task in queued] == list(range(1, 21))
        with pytest.raises(LogClosed):
            await log.append([b"late"])

    asyncio.run(run())
    log = either.open()
    assert log.head == (21, root(21))
    log.close()


def test_one_keeper_at_a_time(either: Place) -> None:
    log = either.create(1)
    with pytest.raises(LogInUse):
        either.open()
    log.close()
    either.open().close()


def test_creating_never_overwrites(place: Place) -> None:
    place.create(2).close()
    kept = place.db.read_bytes(), place.head.read_bytes()
    with pytest.raises(LogExists):
        place.create()
    place.head.rename(place.folder / "elsewhere")
    with pytest.raises(LogExists):
        place.create()
    assert (place.db.read_bytes(), (place.folder / "elsewhere").read_bytes()) == kept
    assert not place.head.exists()


def test_opening_creates_nothing(place: Place) -> None:
    with pytest.raises(LogAbsent):
        place.open()
    assert list(place.folder.iterdir()) == []
    place.create().close()
    place.db.unlink()
    with pytest.raises(LogAbsent):
        place.open()
    assert not place.db.exists()


def test_a_log_serves_several_event_loops_in_turn(either: Place) -> None:
    log = either.create(1)
    assert asyncio.run(log.append([b"one"])) == 1
    note = asyncio.run(log.publish_checkpoint(sign))
    assert asyncio.run(log.append([b"two"])) == 2
    assert asyncio.run(log.wait_checkpoint(2)) == note
    log.close()
