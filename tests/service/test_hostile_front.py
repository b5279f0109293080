"""I8: whoever has the front's socket, and everything that passes through it, gets no signature beyond the policy."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from deploy.demo.people import ssh_person
from deploy.demo.servers.issuer import Issuer
from deploy.demo.world import World
from hsmpub.courier import line
from hsmpub.errors import Refused
from hsmpub.model.statement import APPROVAL_NAMESPACE, pae
from hsmpub.wire import messages as m
from hsmpub.wire.client import FrontChannel, KeeperUnreachable
from hsmpub.wire.session import bound_audience
from tests.service.jobs import AUDIENCE, NIGHTLY, RELEASE, Front, Job, release, routine, store


def play(world: World, scenario: Callable[[Front], Awaitable[None]]) -> None:
    async def run() -> None:
        channel = FrontChannel(world.home / "run" / "front.sock")
        try:
            await scenario(channel)
        finally:
            channel.close()

    asyncio.run(run())


def refused(rule: str) -> pytest.RaisesContext[Refused]:  # type: ignore[name-defined]
    return pytest.raises(Refused, check=lambda error: error.rule == rule)


def test_a_job_of_the_policy_signs(service: World, issuer: Issuer) -> None:
    async def scenario(front: Front) -> None:
        job = await Job.open(front, issuer, **NIGHTLY)
        reply = await job.ask(routine("a.bin", "b.bin"))
        assert isinstance(reply, m.SignReply)
        assert [made.problem for made in reply.made] == [None, None]
        assert reply.entry > 0

    play(service, scenario)


def test_refuses_a_stolen_token_with_a_key_of_the_front(service: World, issuer: Issuer) -> None:
    async def scenario(front: Front) -> None:
        jobs_key = X25519PrivateKey.generate().public_key().public_bytes_raw()
        token = issuer.token(bound_audience(AUDIENCE, jobs_key), **NIGHTLY).encode()
        fronts_key = X25519PrivateKey.generate().public_key().public_bytes_raw()
        with refused("token-bound-to-another-key"):
            await front.call(m.OpenSession(token, fronts_key))

    play(service, scenario)


def test_refuses_a_token_used_before(service: World, issuer: Issuer) -> None:
    async def scenario(front: Front) -> None:
        key = X25519PrivateKey.generate().public_key().public_bytes_raw()
        token = issuer.token(bound_audience(AUDIENCE, key), **NIGHTLY).encode()
        await front.call(m.OpenSession(token, key))
        with refused("token-replayed"):
            await front.call(m.OpenSession(token, key))

    play(service, scenario)


def test_two_uses_of_one_token_at_the_same_moment_open_one_session(service: World, issuer: Issuer) -> None:
    async def scenario(front: Front) -> None:
        key = X25519PrivateKey.generate().public_key().public_bytes_raw()
        token = issuer.token(bound_audience(AUDIENCE, key), **NIGHTLY).encode()
        calls = [front.call(m.OpenSession(token, key)) for _ in range(8)]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert sum(isinstance(answer, m.SessionReply) for answer in answers) == 1

    play(service, scenario)


def test_refuses_another_body_under_a_jobs_mac(service: World, issuer: Issuer) -> None:
    async def scenario(front: Front) -> None:
        job = await Job.open(front, issuer, **NIGHTLY)
        honest, other = job.message(routine("a.bin")), job.message(routine("evil.bin"))
        with refused("request-not-authentic"):
            await front.call(msgspec.structs.replace(honest, body=other.body))

    play(service, scenario)


@pytest.mark.parametrize("counter", [0, -1, 1 << 63, (1 << 64) - 1])
def test_refuses_counters_out_of_range(service: World, issuer: Issuer, counter: int) -> None:
    async def scenario(front: Front) -> None:
        job = await Job.open(front, issuer, **NIGHTLY)
        with pytest.raises((Refused, KeeperUnreachable)):
            await front.call(msgspec.structs.replace(job.message(routine()), counter=counter))

    play(service, scenario)


def test_refuses_the_same_request_again(service: World, issuer: Issuer) -> None:
    async def scenario(front: Front) -> None:
        job = await Job.open(front, issuer, **NIGHTLY)
        message = job.message(routine())
        await front.call(message)
        with refused("request-replayed"):
            await front.call(message)

    play(service, scenario)


def test_a_routine_job_signs_nothing_that_takes_approvals(service: World, issuer: Issuer) -> None:
    async def scenario(front: Front) -> None:
        job = await Job.open(front, issuer, **RELEASE)
        with refused("approval-needed"):
            await job.ask(routine(project="hsmpub"))
        with refused("not-a-requester"):
            await job.ask(routine(project="nightly"))

    play(service, scenario)


def test_bytes_swapped_in_the_store_before_the_request_are_noticed(service: World, issuer: Issuer) -> None:
    async def scenario(front: Front) -> None:
        file = store(service.home, "x.whl", b"honest bytes")
        path = service.home / "artifacts" / file.sha256[:2] / file.sha256
        path.write_bytes(b"evil! bytes.")
        job = await Job.open(front, issuer, **RELEASE)
        with refused("artifact-replaced"):
            await job.ask(release("90.1", file))

    play(service, scenario)


def test_bytes_swapped_between_approval_and_signing_are_not_signed(service: World, issuer: Issuer) -> None:
    """I6, with the front as the thief: the approvals stand, the store holds other bytes, nothing is signed."""

    async def scenario(front: Front) -> None:
        file = store(service.home, "y.whl", b"approved bytes")
        job = await Job.open(front, issuer, **RELEASE)
        view = await job.ask(release("90.2", file))
        assert isinstance(view, m.RequestView)
        path = service.home / "artifacts" / file.sha256[:2] / file.sha256
        path.write_bytes(b"swapped  bytes")
        for person in (service.people.manager, service.people.lead):
            signature = ssh_sign(service, person.identity, pae(view.statement), APPROVAL_NAMESPACE)
            view = await front.call(m.Approve(view.request, person.name, signature))
            assert isinstance(view, m.RequestView)
        for _ in range(50):
            view = await front.call(m.GetRequest(view.request))
            assert isinstance(view, m.RequestView)
            if view.why:
                break
            await asyncio.sleep(0.05)
        assert view.state == "approved"
        assert "altered" in view.why

    play(service, scenario)


def test_refuses_an_approval_by_a_key_that_is_not_enrolled(service: World, issuer: Issuer) -> None:
    async def scenario(front: Front) -> None:
        job = await Job.open(front, issuer, **RELEASE)
        view = await job.ask(release("90.3", store(service.home, "z.whl", b"z")))
        assert isinstance(view, m.RequestView)
        stranger = ssh_person(service.stage, "stranger-90-3")
        signature = ssh_sign(service, stranger.identity, pae(view.statement), APPROVAL_NAMESPACE)
        with pytest.raises(Refused):
            await front.call(m.Approve(view.request, service.people.manager.name, signature))
        with refused("person-not-enrolled"):
            await front.call(m.Approve(view.request, "stranger", signature))

    play(service, scenario)


def test_refuses_an_approval_of_another_requests_statement(service: World, issuer: Issuer) -> None:
    async def scenario(front: Front) -> None:
        job = await Job.open(front, issuer, **RELEASE)
        one = await job.ask(release("90.4", store(service.home, "z.whl", b"z4")))
        two = await job.ask(release("90.5", store(service.home, "z.whl", b"z5")))
        assert isinstance(one, m.RequestView)
        assert isinstance(two, m.RequestView)
        manager = service.people.manager
        signature = ssh_sign(service, manager.identity, pae(one.statement), APPROVAL_NAMESPACE)
        with pytest.raises(Refused):
            await front.call(m.Approve(two.request, manager.name, signature))

    play(service, scenario)


def test_refuses_one_person_twice(service: World, issuer: Issuer) -> None:
    async def scenario(front: Front) -> None:
        job = await Job.open(front, issuer, **RELEASE)
        view = await job.ask(release("90.6", store(service.home, "z.whl", b"z6")))
        assert isinstance(view, m.RequestView)
        manager = service.people.manager
        signature = ssh_sign(service, manager.identity, pae(view.statement), APPROVAL_NAMESPACE)
        await front.call(m.Approve(view.request, manager.name, signature))
        with refused("approved-before"):
            await front.call(m.Approve(view.request, manager.name, signature))

    play(service, scenario)


def test_the_courier_channel_is_closed_to_the_front(service: World) -> None:
    """It runs as the same user and may open the socket; without the token it gets no answer."""

    async def scenario(front: Front) -> None:
        for token in (b"", b"\x00" * 32):
            with pytest.raises(line.KeeperUnreachable):
                await asyncio.to_thread(
                    line.ask, str(service.home / "run" / "courier.sock"), token, m.GetJobs(), timeout=5
                )
        with pytest.raises(KeeperUnreachable):
            await front.call(m.GetJobs(), timeout=5)  # type: ignore[arg-type]

    play(service, scenario)


def test_one_version_has_one_release(service: World, issuer: Issuer) -> None:
    async def scenario(front: Front) -> None:
        job = await Job.open(front, issuer, **RELEASE)
        body = release("90.7", store(service.home, "v.whl", b"v"))
        one, same = await job.ask(body), await job.ask(body)
        assert isinstance(one, m.RequestView)
        assert isinstance(same, m.RequestView)
        assert one.request == same.request
        with refused("version-already-requested"):
            await job.ask(release("90.7", store(service.home, "v.whl", b"other")))

    play(service, scenario)


def test_a_release_has_no_file_with_the_name_of_a_signature_it_makes(service: World, issuer: Issuer) -> None:
    async def scenario(front: Front) -> None:
        job = await Job.open(front, issuer, **RELEASE)
        files = store(service.home, "v.whl", b"v"), store(service.home, "v.whl.asc", b"not the release's own")
        with refused("name-of-a-signature"):
            await job.ask(release("90.8", *files))

    play(service, scenario)


def ssh_sign(world: World, key: object, message: bytes, namespace: str) -> bytes:
    text = world.stage.run("ssh-keygen", "-q", "-Y", "sign", "-n", namespace, "-f", str(key), stdin=message)
    return text.encode()
