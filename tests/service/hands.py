"""What people do, without the start of a command for each of them: over the keeper's own socket."""

from __future__ import annotations

import asyncio
import json
import secrets
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TypeVar

from deploy.demo import acts
from deploy.demo.people import Person
from deploy.demo.world import World
from hsmpub.client.client import Client
from hsmpub.client.token import GitHubActions
from hsmpub.errors import HsmpubError
from hsmpub.model import entry as e
from hsmpub.model.fold import ServiceState
from hsmpub.model.statement import APPROVAL_NAMESPACE, pae
from hsmpub.model.trust import load_trust
from hsmpub.shares.holder import box_for_attempt
from hsmpub.wire import messages as m
from hsmpub.wire.client import FrontChannel
from tests.courier.releases import wheel
from tests.service.jobs import RELEASE, Front, Job, release, store

T = TypeVar("T")


def at_the_keeper(world: World, scenario: Callable[[Front], Awaitable[T]]) -> T:
    """Plays a scenario over the front's socket."""

    async def run() -> T:
        channel = FrontChannel(world.home / "run" / "front.sock")
        try:
            return await scenario(channel)
        finally:
            channel.close()

    return asyncio.run(run())


async def share_box(world: World, attempt: m.AttemptReply, holder: Person) -> bytes:
    """The holder's share, sealed to this attempt."""
    key = bytes.fromhex(json.loads(world.trust.read_bytes())["keeper_key"])
    share = acts.share_of(world.home, holder).read_bytes()
    return box_for_attempt(share, holder.identity.read_bytes(), attempt, holder.name, key)


async def hand_in(world: World, front: Front, holder: Person) -> m.HandInReply:
    attempt = await front.call(m.GetAttempt())
    assert isinstance(attempt, m.AttemptReply)
    reply = await front.call(m.HandIn(attempt.attempt, holder.name, await share_box(world, attempt, holder)))
    assert isinstance(reply, m.HandInReply)
    return reply


def patiently(seconds: float = 180) -> Iterator[None]:
    """For a loop that asks until something is there, however fast it asks: ends when the time is over."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        yield


def unseal(world: World, seconds: float = 180) -> None:
    """Three holders hand in, as soon as a keeper listens; nothing where it is unsealed."""

    async def scenario(front: Front) -> None:
        until = time.monotonic() + seconds
        while True:
            try:
                status = await front.call(m.GetStatus())
                break
            except HsmpubError:
                assert time.monotonic() < until, "no keeper came up"
                await asyncio.sleep(0.1)
        assert isinstance(status, m.StatusReply)
        if status.state == "sealed":
            for holder in world.people.holders[:3]:
                await hand_in(world, front, holder)

    at_the_keeper(world, scenario)


async def issuer_known(front: Front) -> None:
    """Until the courier of a new service has fetched the issuer's keys."""
    for _ in patiently():
        status = await front.call(m.GetStatus())
        assert isinstance(status, m.StatusReply)
        if not any("not fetched yet" in warning for warning in status.warnings):
            return
        await asyncio.sleep(0.1)
    raise AssertionError("the issuer's keys were never fetched")


async def ask_release(world: World, front: Front, version: str, *files: object, project: str) -> m.RequestView:
    job = await Job.open(front, world.issuer, **RELEASE)
    view = await job.ask(release(version, *files, project=project))  # type: ignore[arg-type]
    assert isinstance(view, m.RequestView)
    return view


async def approve(world: World, front: Front, view: m.RequestView, people: Sequence[Person]) -> None:
    for person in people:
        await front.call(m.Approve(view.request, person.name, co_signature(world, person, view.statement)))


def co_signature(world: World, person: Person, statement: bytes) -> bytes:
    command = ("ssh-keygen", "-q", "-Y", "sign", "-n", APPROVAL_NAMESPACE, "-f", person.identity)
    return world.stage.run(*command, stdin=pae(statement)).encode()


def wait_for(world: World, request: str, *states: str, seconds: float = 180) -> m.RequestView:
    """Asks the keeper until the request is there; a keeper that is away or sealed is waited for."""
    until, seen = time.monotonic() + seconds, "unknown"
    while time.monotonic() < until:
        try:
            view = at_the_keeper(world, lambda front: front.call(m.GetRequest(request)))
            assert isinstance(view, m.RequestView)
            seen = f"{view.state} {view.why} {view.publishing}"
            if view.state in states:
                return view
        except HsmpubError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"request {request} is {seen}")


def start_release(world: World, *beside: tuple[str, bytes]) -> m.RequestView:
    """A release of one wheel with both approvals, under a version of its own. beside: name and bytes of more files."""
    version = f"1.{secrets.randbelow(1 << 30)}"

    async def scenario(front: Front) -> m.RequestView:
        files = [store(world.home, *file) for file in (wheel("sdk", version), *beside)]
        view = await ask_release(world, front, version, *files, project="sdk")
        await approve(world, front, view, (world.people.manager, world.people.lead))
        return view

    return at_the_keeper(world, scenario)


def restart(world: World) -> None:
    """After the supervisor was killed: what an operator, or systemd, does."""
    assert world.service is not None
    assert world.service._process is not None
    assert world.service._process.stdout is not None
    world.service._process.wait()
    world.service._process.stdout.close()
    world.service._log.close()
    world.service.__enter__()


def seal_credential(world: World, name: str, secret: bytes) -> None:
    lead = world.people.lead
    said = world.hsmpub("credential", "seal", name, "--person", lead.name, "--key", lead.identity, stdin=secret)
    request = acts.find_request(said)
    acts.approve(world, request, world.people.officer)
    acts.wait_for(world, request, "done")


def client_of(world: World, **claims: str) -> Client:
    """A CI job over HTTP."""
    assert world.service is not None
    client = Client(world.service.url, load_trust(world.trust.read_bytes()))
    job = world.issuer.job(**claims)
    client.open_session(GitHubActions(job.request_url, job.request_token))
    return client


def eventually(check: Callable[[], bool], what: str, seconds: float = 180) -> None:
    until = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < until, what
        time.sleep(0.2)


def log_entries(world: World) -> list[e.Entry]:
    """Every entry as it lies in the database."""
    database = sqlite3.connect(f"file:{world.home / 'log' / 'log.sqlite'}?mode=ro", uri=True)
    try:
        rows = database.execute("select data from entries order by idx").fetchall()
    finally:
        database.close()
    return [e.load_entry(data) for [data] in rows]


def folded(world: World) -> ServiceState:
    """The state that the log says; raises LogContradictsItself."""
    state = ServiceState()
    for index, entry in enumerate(log_entries(world)):
        state.apply(index, entry)
    return state


def issuers_known(world: World) -> set[str]:
    """The issuers whose signing keys have come: before, no job's token counts."""
    return {entry.issuer for entry in log_entries(world) if isinstance(entry, e.IssuerKeys)}
