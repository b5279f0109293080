"""The process that writes the log: stopped, killed or out of its mind, it loses nothing and nobody waits for ever."""

from __future__ import annotations

import asyncio
import os
import random
import resource
import select
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from logs import Place, entries, entry, root_of
from test_log_crash import appender
from test_log_syscalls import needs_strace, trace

from hsmpub.model.entry import EntryTooLarge
from hsmpub.tlog import writer_process, writing_child
from hsmpub.tlog.committer import Committer, Held
from hsmpub.tlog.head import HeadFile
from hsmpub.tlog.log import Log
from hsmpub.tlog.merkle import leaf_hash
from hsmpub.tlog.rules import LogUnavailable, WriterBroken
from hsmpub.tlog.sqlite import SqliteStore
from hsmpub.tlog.store import Commit, make_stamp
from hsmpub.tlog.tile import Frontier


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path, apart=True)


@contextmanager
def stopped(log: Log) -> Iterator[None]:
    """What it is asked meanwhile waits in its channel."""
    os.kill(log.writer_pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(log.writer_pid, signal.SIGCONT)


def heads_written(place: Place) -> int:
    """How many commits of entries there were."""
    newest = max(place.head.read_bytes()[at : at + 8] for at in (4096, 8192))
    return int.from_bytes(newest, "big")


def whole(log: Log, size: int) -> bool:
    """Exactly these entries, under the held root."""
    root = root_of(leaf_hash(entry(i)) for i in range(size))
    return log.head == (size, root) and [data for _, data in log.iterate()] == entries(0, size)


def test_what_waits_shares_a_commit_and_the_event_loop_runs_on(place: Place) -> None:
    log, before = place.create(1), heads_written(place)

    async def run() -> None:
        with stopped(log):
            first = asyncio.ensure_future(log.append([entry(1)]))
            await asyncio.sleep(0.01)
            rest = [asyncio.ensure_future(log.append([entry(2 + i)])) for i in range(50)]
            await asyncio.sleep(0.01)
            assert not first.done()
            assert log.size == 1
        assert await asyncio.gather(first, *rest) == list(range(1, 52))

    asyncio.run(run())
    assert whole(log, 52)
    assert heads_written(place) - before == 2
    log.close()


def test_who_is_cancelled_has_logged_all_the_same(place: Place) -> None:
    log = place.create(1)

    async def run() -> None:
        with stopped(log):
            task = asyncio.create_task(log.append([entry(1)]))
            await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert await log.append([entry(2)]) == 2

    asyncio.run(run())
    assert whole(log, 3)
    log.close()


def test_more_than_the_channel_holds_goes_through_while_the_event_loop_runs(place: Place) -> None:
    log, large = place.create(1), [os.urandom(60_000) for _ in range(400)]

    async def run() -> None:
        with stopped(log):
            task = asyncio.ensure_future(log.append(large))
            await asyncio.sleep(0.01)
            assert not task.done()
        assert await task == 1
        assert await asyncio.gather(log.append([b"a"]), log.append([b"b"])) == [401, 402]

    asyncio.run(run())
    assert [data for _, data in log.iterate(1)] == [*large, b"a", b"b"]
    log.close()


def test_what_is_queued_when_it_is_closed_is_kept_although_the_process_is_killed(place: Place) -> None:
    log = place.create(1)

    async def run() -> list[asyncio.Future[int]]:
        os.kill(log.writer_pid, signal.SIGSTOP)
        tasks = [asyncio.ensure_future(log.append([entry(1 + i)])) for i in range(5)]
        await asyncio.sleep(0.01)
        tasks += [asyncio.ensure_future(log.append([entry(6 + i)])) for i in range(5)]
        await asyncio.sleep(0)
        os.kill(log.writer_pid, signal.SIGKILL)
        log.close()
        return [await task for task in tasks]

    assert asyncio.run(run()) == list(range(1, 11))
    with closing(place.open()) as again:
        assert whole(again, 11)


def test_an_order_that_is_half_sent_when_it_is_closed_is_kept(place: Place) -> None:
    log, large = place.create(1), [os.urandom(60_000) for _ in range(200)]

    async def run() -> list[int]:
        os.kill(log.writer_pid, signal.SIGSTOP)
        tasks = [asyncio.ensure_future(log.append(large))]
        await asyncio.sleep(0.01)
        tasks.append(asyncio.ensure_future(log.append([b"last"])))
        await asyncio.sleep(0)
        os.kill(log.writer_pid, signal.SIGCONT)
        log.close()
        return [await task for task in tasks]

    assert asyncio.run(run()) == [1, 201]
    with closing(place.open()) as again:
        assert [data for _, data in again.iterate(1)] == [*large, b"last"]


def test_an_order_that_is_half_sent_goes_on_in_another_event_loop(place: Place) -> None:
    log, large = place.create(1), [os.urandom(60_000) for _ in range(200)]

    async def given_up() -> None:
        with stopped(log):
            task = asyncio.ensure_future(log.append(large))
            await asyncio.sleep(0.01)
            task.cancel()

    asyncio.run(given_up())
    assert asyncio.run(log.append([b"last"])) == 201
    assert [data for _, data in log.iterate(1)] == [*large, b"last"]
    log.close()


@pytest.mark.parametrize("when", ["at rest", "with an order in hand"])
def test_a_killed_process_is_replaced_and_its_order_given_again(place: Place, when: str) -> None:
    log = place.create(1)

    async def run() -> None:
        first = log.writer_pid
        if when == "at rest":
            os.kill(first, signal.SIGKILL)
            os.waitid(os.P_PID, first, os.WEXITED | os.WNOWAIT)  # noqa: ASYNC222 - it is being killed
            task = asyncio.ensure_future(log.append([entry(1)]))
        else:
            os.kill(first, signal.SIGSTOP)
            task = asyncio.ensure_future(log.append([entry(1)]))
            await asyncio.sleep(0.01)
            os.kill(first, signal.SIGKILL)
        assert await task == 1
        assert log.writer_pid not in (0, first)

    asyncio.run(run())
    assert log.writers_lost == 1
    assert whole(log, 2)
    log.close()


def test_killed_again_and_again_while_many_append_it_loses_and_repeats_nothing(place: Place) -> None:
    log = place.create(1)
    kills = 6

    async def killer() -> None:
        for _ in range(kills):
            size = log.size
            while log.size == size:  # noqa: ASYNC110 - one that commits, so that none is refused for too many
                await asyncio.sleep(0.001)
            await asyncio.sleep(random.random() * 0.01)
            assert log.writer_pid
            os.kill(log.writer_pid, signal.SIGKILL)

    async def caller(name: int, told: dict[int, bytes]) -> None:
        while not killing[0].done():
            said = b"caller %d says %d" % (name, len(told))
            told[await log.append([said])] = said

    async def run() -> None:
        told: dict[int, bytes] = {0: entry(0)}
        killing.append(asyncio.ensure_future(killer()))
        await asyncio.gather(*[caller(name, told) for name in range(8)])
        assert dict(log.iterate()) == told

    killing: list[asyncio.Future[None]] = []
    asyncio.run(run())
    assert log.writers_lost == kills
    log.close()
    place.open().close()


@pytest.mark.parametrize("left", ["nothing", "rows", "rows and head"])
def test_the_next_one_takes_back_what_was_not_acknowledged(place: Place, left: str) -> None:
    """Whatever the killed one had made durable of its last order."""
    place.apart = False
    place.create(300).close()
    head, store = HeadFile.open(place.head), SqliteStore(place.db)
    held = Held.at(Frontier.load(300, store.tile))
    lost = Committer(store, head, held)
    if left == "rows":
        frontier = held.frontier.copy()
        tiles = frontier.extend([leaf_hash(entry(i)) for i in range(300, 305)])
        stamp = make_stamp(head.key, 305, frontier.root())
        store.commit(Commit(300, entries(300, 305), tiles, stamp))
    elif left == "rows and head":
        lost.commit(entries(300, 305), None)
    with closing(SqliteStore(place.db)) as other:
        replaced = Committer(other, HeadFile.inherit(head.fd), held, unsettled=True)
        assert replaced.commit(entries(300, 302), None).size == 302
    store.close()
    head.close()
    with closing(place.open()) as log:
        assert whole(log, 302)


def test_processes_that_end_at_once_refuse_and_later_ones_work(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    log = place.create(1)

    async def refused() -> None:
        os.kill(log.writer_pid, signal.SIGSTOP)
        tasks = [asyncio.ensure_future(log.append([b"lost"]))]
        await asyncio.sleep(0.01)
        tasks.append(asyncio.ensure_future(log.append([b"lost, too"])))
        await asyncio.sleep(0)
        os.kill(log.writer_pid, signal.SIGKILL)
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(one) for one in found] == [WriterBroken] * 2

    with monkeypatch.context() as patched:
        patched.setattr(writing_child, "PROGRAM", "hsmpub.no_such_module")
        asyncio.run(refused())
        assert log.writer_pid == 0
    assert log.writers_lost == 4
    assert asyncio.run(log.append([entry(1)])) == 1
    assert whole(log, 2)
    log.close()


def test_an_order_that_cannot_be_packed_fails_alone(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    log = place.create(1)

    def fails(_: object) -> bytes:
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(writer_process, "pack_frame", fails)
        with pytest.raises(WriterBroken):
            asyncio.run(log.append([b"lost"]))
    assert asyncio.run(log.append([entry(1)])) == 1
    assert whole(log, 2)
    log.close()


def test_an_append_over_the_cap_of_an_order_is_refused(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    log = place.create(1)
    monkeypatch.setattr(writer_process, "MAX_JOB_BYTES", 1000)
    with pytest.raises(EntryTooLarge):
        asyncio.run(log.append([b"x" * 501] * 2))
    assert asyncio.run(log.append([entry(1)])) == 1
    log.close()


def test_it_can_be_closed_when_the_event_loop_of_who_waited_is(place: Place) -> None:
    log = place.create(1)
    loop = asyncio.new_event_loop()

    async def given_up() -> None:
        os.kill(log.writer_pid, signal.SIGSTOP)
        tasks.append(loop.create_task(log.append([entry(1)])))
        await asyncio.sleep(0.01)

    tasks: list[asyncio.Task[int]] = []
    loop.run_until_complete(given_up())
    tasks[0]._log_destroy_pending = False  # type: ignore[attr-defined]  # that is what the test is about
    loop.close()
    os.kill(log.writer_pid, signal.SIGCONT)
    log.close()
    with closing(place.open()) as again:
        assert whole(again, 2)


@needs_strace
def test_a_send_that_the_system_refuses_is_no_order_lost(place: Place) -> None:
    said, _ = trace(place, place.folder / "trace", "-e", "inject=sendto:error=ENOBUFS:when=4", callers=2, each=20)
    assert [int(line.split()[1]) for line in said if line.startswith("ack ")] == list(range(1, 41))


def test_a_process_that_answers_something_else_is_not_believed(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    log = place.create(1)
    log.close()
    with monkeypatch.context() as patched:
        patched.setattr(writing_child, "PROGRAM", "lying_writer")
        log = place.open()
        with pytest.raises(WriterBroken):
            asyncio.run(log.append([b"lost"]))
    assert log.size == 1
    assert asyncio.run(log.append([entry(1)])) == 1
    assert whole(log, 2)
    log.close()


def test_a_full_disk_is_told_as_by_a_thread(place: Place) -> None:
    log = place.create(1)

    limits = resource.prlimit(log.writer_pid, resource.RLIMIT_FSIZE)
    resource.prlimit(log.writer_pid, resource.RLIMIT_FSIZE, (4096, limits[1]))
    with pytest.raises(LogUnavailable):
        asyncio.run(log.append([entry(1)]))
    resource.prlimit(log.writer_pid, resource.RLIMIT_FSIZE, limits)
    assert asyncio.run(log.append([entry(1)])) == 1
    assert whole(log, 2)
    assert log.writers_lost == 0
    log.close()


def test_it_has_little_within_reach_and_says_so(place: Place) -> None:
    log = place.create(1)
    asyncio.run(log.append([entry(1)]))
    status = Path(f"/proc/{log.writer_pid}/status").read_text()
    environment = Path(f"/proc/{log.writer_pid}/environ").read_bytes()
    assert "system-calls" in log.protections
    if log.protections["system-calls"] == "on":
        assert "\nSeccomp:\t2\n" in status
    assert environment in (b"LC_ALL=C.UTF-8\0", b"")
    log.close()


def test_a_signal_to_end_is_the_keeper_s_to_act_on(place: Place) -> None:
    log = place.create(1)
    asyncio.run(log.append([entry(1)]))
    pid = log.writer_pid
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(pid, number)
    assert asyncio.run(log.append([entry(2)])) == 2
    assert log.writer_pid == pid
    log.close()


def test_it_ends_with_its_keeper_and_frees_the_log(place: Place) -> None:
    process = appender(place, 1, 100_000)
    assert process.stdout is not None
    while not process.stdout.readline().startswith("ack "):
        pass
    [writer] = map(int, Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split())
    watch = os.pidfd_open(writer)
    process.kill()
    with closing(place.open()) as log:  # at once: who starts waits a little for the lock
        assert log.size > 1
    assert select.select([watch], [], [], 60)[0], "it outlived its keeper"
    os.close(watch)
    process.communicate()


@needs_strace
@pytest.mark.parametrize("fault", [
    "fdatasync:signal=SIGKILL:when=9", "pwrite64:signal=SIGKILL:when=90", "sendto:signal=SIGKILL:when=4",
])  # fmt: skip
def test_killed_at_any_call_it_is_replaced_and_all_is_acknowledged_once(place: Place, fault: str) -> None:
    said, _ = trace(place, place.folder / "trace", "-e", f"inject={fault}", callers=2, each=20)
    assert [int(line.split()[1]) for line in said if line.startswith("ack ")] == list(range(1, 41))
    with closing(place.open()) as log:
        assert log.size == 41
