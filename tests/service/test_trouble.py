"""The HSM's token vanishes, the disk is full: a clear error, nothing lost, no wrong signature, and it heals by itself
once the token, or the room, is back."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from deploy.demo.world import World
from hsmpub.client.client import Client
from hsmpub.errors import HsmpubError, Refused
from hsmpub.wire import messages as m
from tests.service import processes
from tests.service.hands import approve, ask_release, at_the_keeper, client_of, eventually, folded, hand_in, wait_for
from tests.service.jobs import NIGHTLY, Front, Job, routine, store


def ready(world: World) -> int:
    assert world.service is not None
    return httpx.get(f"{world.service.url}/readyz", trust_env=False, timeout=60).status_code


async def sign(world: World, front: Front) -> m.SignReply:
    job = await Job.open(front, world.issuer, **NIGHTLY)
    reply = await job.ask(routine("a.bin"))
    assert isinstance(reply, m.SignReply)
    return reply


@contextmanager
def token_away(world: World) -> Iterator[None]:
    tokens = world.home / "keeper" / "tokens"
    away = tokens.with_name("tokens.away")
    tokens.rename(away)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            tokens.rmdir()  # SoftHSM may have made an empty one
        away.rename(tokens)


def test_a_token_that_vanishes_is_a_clear_error_and_signs_again_when_it_is_back(service: World) -> None:
    assert ready(service) == 200
    with token_away(service):
        eventually(lambda: ready(service) == 503, "readyz never said so")
        with pytest.raises(Refused) as refused:
            at_the_keeper(service, lambda front: sign(service, front))
        assert refused.value.problem.family == "unavailable"
        assert refused.value.problem.retry
        assert refused.value.next_step
        view = at_the_keeper(service, lambda front: approved_release(service, front, "92.1"))
        eventually(lambda: bool(wait_for(service, view.request, "approved").why), "the release gave no reason")
    eventually(lambda: ready(service) == 200, "it did not heal")
    reply = at_the_keeper(service, lambda front: sign(service, front))
    assert reply.made[0].output
    wait_for(service, view.request, "signed")


async def approved_release(world: World, front: Front, version: str) -> m.RequestView:
    file = store(world.home, "x.whl", version.encode())
    view = await ask_release(world, front, version, file, project="hsmpub")
    await approve(world, front, view, (world.people.manager, world.people.lead))
    return view


@contextmanager
def no_room(world: World, *roles: str, size: int) -> Iterator[None]:
    """Files of these processes grow no further than `size` bytes, as on a full disk (EFBIG instead of ENOSPC)."""
    pids = [processes.one(world, role) for role in roles]
    before = [resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY)) for pid in pids]
    try:
        yield
    finally:
        for pid, limits in zip(pids, before, strict=True):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)


def test_a_full_disk_of_the_log_gives_a_clear_error_and_no_signature_and_nothing_is_lost(service: World) -> None:
    keeper = processes.one(service, "keeper")
    view = at_the_keeper(service, lambda front: half_approved(service, front, "92.2"))
    before = at_the_keeper(service, lambda front: front.call(m.GetStatus()))
    assert isinstance(before, m.StatusReply)
    with no_room(service, "keeper", "log-writer", size=4096):
        for attempt in (sign, second_approval(view)):
            with pytest.raises(Refused) as refused:
                at_the_keeper(service, lambda front, attempt=attempt: attempt(service, front))  # type: ignore[misc]
            assert refused.value.problem.family == "unavailable"
            assert "disk" in f"{refused.value.detail} {refused.value.next_step}".lower()
        during = at_the_keeper(service, lambda front: front.call(m.GetStatus()))
        assert isinstance(during, m.StatusReply)
        assert (during.state, during.log_size) == ("unsealed", before.log_size)
    assert processes.one(service, "keeper") == keeper
    assert at_the_keeper(service, lambda front: sign(service, front)).made[0].output
    at_the_keeper(service, lambda front: second_approval(view)(service, front))
    wait_for(service, view.request, "signed")
    assert folded(service).requests[view.request].state == "signed"


async def half_approved(world: World, front: Front, version: str) -> m.RequestView:
    view = await ask_release(world, front, version, store(world.home, "x.whl", version.encode()), project="hsmpub")
    await approve(world, front, view, (world.people.manager,))
    return view


def second_approval(view: m.RequestView):  # type: ignore[no-untyped-def]
    async def give(world: World, front: Front) -> None:
        await approve(world, front, view, (world.people.lead,))

    return give


def test_a_killed_log_writer_is_replaced_and_no_request_fails(service: World) -> None:
    keeper, writer = processes.one(service, "keeper"), processes.one(service, "log-writer")
    before = at_the_keeper(service, lambda front: front.call(m.GetStatus()))

    async def sign_meanwhile(front: Front) -> list[m.SignReply]:
        job = await Job.open(front, service.issuer, **NIGHTLY)
        os.kill(writer, signal.SIGSTOP)
        asked = [asyncio.ensure_future(job.ask(routine("a.bin"))) for _ in range(20)]
        await asyncio.sleep(0.3)
        assert not any(one.done() for one in asked)  # nothing leaves before the log has it
        os.kill(writer, signal.SIGKILL)
        return [reply for reply in await asyncio.gather(*asked) if isinstance(reply, m.SignReply)]

    replies = at_the_keeper(service, sign_meanwhile)
    assert len(replies) == len({reply.request for reply in replies}) == 20
    assert (processes.one(service, "keeper"), service.state()) == (keeper, "unsealed")
    after = at_the_keeper(service, lambda front: front.call(m.GetStatus()))
    assert isinstance(before, m.StatusReply)
    assert isinstance(after, m.StatusReply)
    lost = "hsmpub_log_writers_lost_total"
    assert after.counters[lost] == before.counters[lost] + 1
    assert after.protections["log-writer: system-calls"] == before.protections["log-writer: system-calls"]


def test_a_full_disk_of_the_store_gives_a_clear_error_and_leaves_no_half_file(service: World, tmp_path: Path) -> None:
    large = tmp_path / "large.img"
    large.write_bytes(b"large" * 400_000)
    with client_of(service, **NIGHTLY) as client:
        with no_room(service, "front", size=1 << 20):
            problem = refused_upload(client, large)
            assert problem.rule == "artifact-store-full"
            assert problem.next_step
        assert not list((service.home / "artifacts").glob(".incoming-*"))
        reference = client.upload(large)
        [made] = client.sign("nightly", ["sshsig"], files=[reference]).made
        assert made.output


def refused_upload(client: Client, path: Path) -> HsmpubError:
    """The front may answer before it has taken the whole file, so that the client cannot send its rest."""
    with pytest.raises(HsmpubError) as refused:
        client.upload(path)
    return refused.value


def test_a_full_disk_while_sealing_seals_all_the_same(service: World) -> None:
    officer = service.people.officer
    with no_room(service, "keeper", "log-writer", size=4096):
        said = service.hsmpub_refused("seal", "--person", officer.name, "--key", officer.identity)
        assert "disk" in said.lower()
        assert service.state() == "sealed"
        assert processes.of(service, "worker") == []

    async def again(front: Front) -> None:
        for holder in service.people.holders[:3]:
            await hand_in(service, front, holder)

    at_the_keeper(service, again)
    assert service.state() == "unsealed"
