"""I4: fewer than k shares unlock nothing; boxes of an earlier attempt are refused; nobody who merely calls can cancel
or stall the holders."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from deploy.demo.servers.issuer import Issuer
from deploy.demo.world import World
from hsmpub.errors import HsmpubError, Refused
from hsmpub.wire import messages as m
from tests.box import genesis, make_world, running
from tests.service import processes
from tests.service.hands import at_the_keeper, hand_in, issuer_known, patiently, share_box
from tests.service.jobs import NIGHTLY, Front, Job, routine


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory, issuer: Issuer) -> Iterator[World]:
    """Running and sealed; each test leaves it so, by a kill of the keeper, which ends the attempt."""
    world = make_world(Path(tmp_path_factory.mktemp("holders")) / "world", issuer)
    try:
        genesis(world)
        with running(world, unsealed=False):
            yield world
    finally:
        world.stage.close()


@pytest.fixture
def world(sealed: World) -> Iterator[World]:
    yield sealed
    processes.kill(processes.of(sealed, "keeper"))


async def attempt_of(front: Front) -> m.AttemptReply:
    """The open attempt, of a keeper that may be starting."""
    for _ in patiently():
        try:
            reply = await front.call(m.GetAttempt())
            assert isinstance(reply, m.AttemptReply)
            return reply
        except HsmpubError:
            await asyncio.sleep(0.1)
    raise AssertionError("no keeper came up")


def test_two_of_three_needed_unlock_nothing(world: World) -> None:
    async def scenario(front: Front) -> None:
        await attempt_of(front)
        for holder in world.people.holders[3:]:
            await hand_in(world, front, holder)
        ready = await front.call(m.GetReady())
        assert isinstance(ready, m.ReadyReply)
        assert not ready.ready
        assert set(ready.keys.values()) == {"sealed"}
        await issuer_known(front)
        job = await Job.open(front, world.issuer, **NIGHTLY)
        with pytest.raises(Refused, match="sealed"):
            await job.ask(routine("a.bin"))

    at_the_keeper(world, scenario)
    assert processes.of(world, "worker") == []
    assert world.service is not None
    assert httpx.get(f"{world.service.url}/readyz", trust_env=False).status_code == 503
    assert httpx.get(f"{world.service.url}/healthz", trust_env=False).status_code == 200


def test_refuses_boxes_of_an_earlier_attempt_and_boxes_under_another_name(world: World) -> None:
    one, two, three, *_ = world.people.holders

    async def first(front: Front) -> tuple[m.HandIn, m.HandIn]:
        attempt = await attempt_of(front)
        taken = m.HandIn(attempt.attempt, one.name, await share_box(world, attempt, one))
        kept = m.HandIn(attempt.attempt, two.name, await share_box(world, attempt, two))
        assert isinstance(await front.call(taken), m.HandInReply)
        return taken, kept

    async def later(front: Front) -> None:
        attempt = await attempt_of(front)
        assert attempt.accepted == ()
        for old in (taken, kept):
            with pytest.raises(Refused, match="is over"):
                await front.call(old)
            with pytest.raises(Refused, match="does not open"):
                await front.call(m.HandIn(attempt.attempt, old.holder, old.box))
        box = await share_box(world, attempt, three)
        with pytest.raises(Refused, match="does not open"):
            await front.call(m.HandIn(attempt.attempt, one.name, box))
        await front.call(m.HandIn(attempt.attempt, three.name, box))
        with pytest.raises(Refused, match="already"):
            await front.call(m.HandIn(attempt.attempt, three.name, box))
        now = await attempt_of(front)
        assert (now.attempt, now.accepted) == (attempt.attempt, (three.name,))

    taken, kept = at_the_keeper(world, first)
    processes.kill(processes.of(world, "keeper"))
    at_the_keeper(world, later)


def test_whoever_merely_calls_can_neither_cancel_nor_stall(world: World) -> None:
    """Hundreds of calls with rubbish, under real names too, while three holders hand in."""

    async def noise(front: Front, attempt: bytes, stop: asyncio.Event) -> int:
        refused = 0
        names = [holder.name for holder in world.people.holders] + ["nobody", "x" * 10_000]
        while not stop.is_set():
            for name in names:
                calls = [m.HandIn(attempt, name, os.urandom(size)) for size in (0, 1, 120, 4096, 100_000)]
                calls += [m.HandIn(b"", name, b""), m.HandIn(os.urandom(16), name, os.urandom(64))]
                answers = await asyncio.gather(*map(front.call, calls), front.call(m.GetAttempt()),
                                               return_exceptions=True)  # fmt: skip
                refused += sum(isinstance(answer, HsmpubError) for answer in answers)
        return refused

    async def scenario(front: Front) -> None:
        attempt = await attempt_of(front)
        stop = asyncio.Event()
        noisy = asyncio.ensure_future(noise(front, attempt.attempt, stop))
        try:
            for count, holder in enumerate(world.people.holders[:3], 1):
                async with asyncio.timeout(30):
                    reply = await hand_in(world, front, holder)
                assert len(reply.accepted) == count
            assert reply.state == "unsealed"
        finally:
            stop.set()
        assert await noisy > 20

    at_the_keeper(world, scenario)
