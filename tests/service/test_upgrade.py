"""The keeper goes on in new code unsealed, once, by a permission that a quorum gave before, and otherwise sealed or not
at all. With the real processes: one process id, another program."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.demo import acts
from deploy.demo.people import Person
from deploy.demo.servers.issuer import Issuer
from deploy.demo.world import World
from hsmpub.errors import HsmpubError
from hsmpub.model import entry as e
from hsmpub.model.holder_act import Permission, dump_permission
from hsmpub.model.terms import Terms
from hsmpub.shares.holder import box_for_attempt
from hsmpub.shares.identity import open_share_file
from hsmpub.shares.verifier import sign_with_share
from hsmpub.wire import messages as m
from tests.box import genesis, make_world, running
from tests.service import processes
from tests.service.canaries import canaries_of, found_in
from tests.service.hands import at_the_keeper, issuer_known, log_entries, patiently
from tests.service.jobs import NIGHTLY, Front, Job, routine

TERMS = Terms(signatures=10)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, issuer: Issuer) -> Iterator[World]:
    made = make_world(Path(tmp_path_factory.mktemp("upgrade")) / "world", issuer)
    try:
        genesis(made)
        with running(made, unsealed=False):
            yield made
    finally:
        made.stage.close()


async def status(front: Front) -> m.StatusReply:
    reply = await front.call(m.GetStatus())
    assert isinstance(reply, m.StatusReply)
    return reply


async def unseal(world: World, front: Front) -> None:
    """Three holders, under terms that must survive."""
    if (await until_up(front)).state == "unsealed":
        return
    key = bytes.fromhex(json.loads(world.trust.read_bytes())["keeper_key"])
    for holder in world.people.holders[:3]:
        attempt = await front.call(m.GetAttempt(TERMS))
        assert isinstance(attempt, m.AttemptReply)
        share = acts.share_of(world.home, holder).read_bytes()
        box = box_for_attempt(share, holder.identity.read_bytes(), attempt, holder.name, key)
        await front.call(m.HandIn(attempt.attempt, holder.name, box, TERMS))


def signature_of(world: World, holder: Person, body: bytes) -> bytes:
    words = open_share_file(acts.share_of(world.home, holder).read_bytes(), bytearray(holder.identity.read_bytes()))
    return sign_with_share(words, "upgrade", body, purpose="unseal", epoch=1, holder=holder.name)


async def permit(world: World, front: Front, *, code: str = "", begins: int = -10, ends: int = 600) -> bytes:
    """Three holders sign a permission that begins and ends so many seconds from now."""
    found = await front.call(m.GetUpgrade())
    assert isinstance(found, m.UpgradeReply)
    now = int(time.time())
    body = dump_permission(
        Permission(found.service, found.epoch, found.unsealed_at, code or found.next, now + begins, now + ends,
                   secrets.token_hex(8))
    )  # fmt: skip
    for holder in world.people.holders[2:5]:
        found = await front.call(m.PermitUpgrade(holder.name, body, signature_of(world, holder, body)))
    assert isinstance(found, m.UpgradeReply)
    assert any(one.given for one in found.permissions)
    return body


def hang_up(world: World) -> None:
    os.kill(processes.one(world, "keeper"), signal.SIGHUP)


async def until_logged(world: World, words: str, since: int) -> None:
    """Until the service's log has these words after that place."""
    path = world.stage.root / "service.log"
    for _ in patiently():
        if words.encode() in path.read_bytes()[since:]:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"the service never said {words!r}")


def log_place(world: World) -> int:
    return (world.stage.root / "service.log").stat().st_size


async def until_up(front: Front) -> m.StatusReply:
    for _ in patiently():
        try:
            return await status(front)
        except HsmpubError:
            await asyncio.sleep(0.05)
    raise AssertionError("no keeper came up")


def test_goes_on_unsealed_once_with_the_same_terms_and_is_refused_the_second_time(world: World) -> None:
    async def scenario(front: Front) -> None:
        await unseal(world, front)
        await issuer_known(front)
        job = await Job.open(front, world.issuer, **NIGHTLY)
        await job.ask(routine("a", "b"))
        await permit(world, front)
        keeper, since = processes.one(world, "keeper"), log_place(world)
        intake = (await status(front)).intake_key
        hang_up(world)
        await until_logged(world, "keeper is up, unsealed", since)
        after = await until_up(front)
        assert processes.one(world, "keeper") == keeper  # the same process
        assert after.intake_key != intake  # in another program
        assert after.state == "unsealed"
        assert after.opening.terms == TERMS
        assert after.opening.signatures_left == 8
        assert after.protections["system-calls"] == "on"
        job = await Job.open(front, world.issuer, **NIGHTLY)
        assert isinstance(await job.ask(routine("c")), m.SignReply)
        [resumed] = [entry for entry in log_entries(world) if isinstance(entry, e.Resumed)]
        assert len(resumed.code) == 64
        # the second time: it goes on as it is
        since = log_place(world)
        hang_up(world)
        await until_logged(world, "upgrade-not-permitted", since)
        again = await status(front)
        assert (again.state, again.intake_key) == ("unsealed", after.intake_key)

    at_the_keeper(world, scenario)


def test_the_pin_leaves_no_trace_where_it_was_handed_over(world: World) -> None:
    async def scenario(front: Front) -> None:
        await unseal(world, front)

    at_the_keeper(world, scenario)
    keeper = processes.one(world, "keeper")
    looked = [(name, processes.read(keeper, name)) for name in ("cmdline", "environ")]
    assert found_in(looked, canaries_of(world)) == []
    pages = [fd for fd in os.listdir(f"/proc/{keeper}/fd") if "secretmem" in os.readlink(f"/proc/{keeper}/fd/{fd}")]
    assert len(pages) <= 1  # that of the page in use; what was handed over is closed
    for fd in pages:
        with pytest.raises(OSError, match="No such device or address"):
            os.open(f"/proc/{keeper}/fd/{fd}", os.O_RDONLY)


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"code": "00" * 32}, "for other code"),
        ({"begins": 300}, "over, or has not come"),
    ],
)
def test_stays_as_it_is_without_a_permission_that_fits(told: dict[str, object], why: str, world: World) -> None:
    async def scenario(front: Front) -> None:
        await unseal(world, front)
        await permit(world, front, **told)  # type: ignore[arg-type]
        before, since = await status(front), log_place(world)
        hang_up(world)
        await until_logged(world, "upgrade-not-permitted", since)
        await until_logged(world, why, since)
        after = await status(front)
        assert (after.state, after.intake_key) == ("unsealed", before.intake_key)

    at_the_keeper(world, scenario)


def test_after_kill_9_it_is_sealed_whatever_was_permitted(world: World) -> None:
    async def scenario(front: Front) -> None:
        await unseal(world, front)
        await permit(world, front)
        processes.kill([processes.one(world, "keeper")])
        after = await until_up(front)
        assert after.state == "sealed"
        since = log_place(world)
        hang_up(world)  # sealed, it goes on in new code, sealed
        await until_logged(world, "keeper is up, sealed", since)
        assert (await until_up(front)).state == "sealed"
        # a sealed keeper's permission is of an unsealing that is gone
        await unseal(world, front)
        since = log_place(world)
        hang_up(world)
        await until_logged(world, "upgrade-not-permitted", since)

    at_the_keeper(world, scenario)
