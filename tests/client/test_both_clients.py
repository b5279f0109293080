"""The client with and without an event loop: the same asks, the same answers, the same refusals."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fake_keeper import view
from running import Running, running

from hsmpub.client import AsyncClient, Client, SessionAuth
from hsmpub.client.address import ServiceUnreachable
from hsmpub.client.asks import Asks
from hsmpub.client.asks.releases import NotReleased, StillWaiting
from hsmpub.client.sha256 import FileChanged
from hsmpub.client.steps import AnswerNotUnderstood, Call, Local, Pause, Steps, locally, run_steps
from hsmpub.client.upload import refer_to
from hsmpub.errors import Refused
from hsmpub.model.submission import HashState
from hsmpub.model.trust import Trust
from hsmpub.wire import messages as m

STATE = HashState("sdk-1.0.whl", "6a09e667" * 8, "", 64)


class Source:
    def token(self, audience: str) -> str:
        return "header.claims.signature"


@pytest.fixture(scope="module")
def front() -> Iterator[Running]:
    with running() as up:
        yield up


def pins(front: Running) -> Trust:
    return Trust("hsmpub-test", "log-key", front.keeper.keeper_key, ())


def awaited(front: Running, scenario: Callable[[AsyncClient], Coroutine[Any, Any, Any]]) -> Any:
    async def run() -> Any:
        async with AsyncClient(front.url, pins(front)) as client:
            return await scenario(client)

    return asyncio.run(run())


def methods(kind: type) -> dict[str, inspect.Signature]:
    return {
        name: inspect.signature(found)
        for name, found in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_")
    }


def test_both_have_every_ask_with_its_signature_and_words() -> None:
    asks, blocking, looping = methods(Asks), methods(Client), methods(AsyncClient)
    assert asks == {name: found for name, found in blocking.items() if name != "close"}
    assert blocking == looping
    for name in asks:
        assert getattr(Client, name).__doc__ == getattr(AsyncClient, name).__doc__ == getattr(Asks, name).__doc__
        assert getattr(Client, name).__doc__
        assert inspect.iscoroutinefunction(getattr(AsyncClient, name))


def test_a_session_a_file_and_a_signature(front: Running, tmp_path: Path) -> None:
    file = tmp_path / "large.bin"
    file.write_bytes(bytes(700_000))
    sent: list[int] = []

    async def job(client: AsyncClient) -> m.SignReply:
        await client.open_session(Source())
        for _ in range(2):  # the second time it is there
            assert await client.upload(file, progress=sent.append) == refer_to(file)
        return await client.sign("sdk", ["openpgp"], states=[STATE])

    assert awaited(front, job).made[0].output == b"signature of sdk-1.0.whl"
    assert sum(sent) == 2 * 700_000


def test_a_file_that_becomes_shorter_is_refused(front: Running, tmp_path: Path) -> None:
    file = tmp_path / "shrinks.bin"
    file.write_bytes(b"x" * 2_000)
    reference = refer_to(file)
    file.write_bytes(b"x" * 1_000)

    async def job(client: AsyncClient) -> None:
        await client.open_session(Source())
        await client.upload(file, reference=reference)

    with pytest.raises(FileChanged):
        awaited(front, job)


def test_refusals_are_the_service_s_own_words(front: Running) -> None:
    with pytest.raises(Refused) as looping:
        awaited(front, lambda client: client.request("r-404"))
    with Client(front.url) as client, pytest.raises(Refused) as blocking:
        client.request("r-404")
    assert looping.value.problem == blocking.value.problem


def test_nobody_there_and_something_else_there() -> None:
    async def ask() -> None:
        async with AsyncClient("http://127.0.0.1:1") as client:
            await client.status()

    with pytest.raises(ServiceUnreachable):
        asyncio.run(ask())
    steps = Asks(None).status()
    step = next(steps)
    assert isinstance(step, Call)
    for status, body in ((502, b"<h1>Bad gateway</h1>"), (302, b""), (200, b"[]")):
        with pytest.raises(AnswerNotUnderstood):
            step.read(status, body)


def test_many_at_once_share_one_session(front: Running) -> None:
    async def job(client: AsyncClient) -> list[m.SignReply]:
        await client.open_session(Source())
        return await asyncio.gather(*(client.sign("sdk", ["openpgp"], states=[STATE]) for _ in range(8)))

    assert len(awaited(front, job)) == 8


def test_waiting_looks_until_the_end_and_says_what_changed() -> None:
    def wait(*states: str, timeout: float = 60) -> tuple[list[str], list[float], Any]:
        """The states that were told, the pauses that were made, and the result."""
        told, pauses, left = [], [], list(states)

        def carry_out(step: Any) -> Any:
            if isinstance(step, Pause):
                return pauses.append(step.seconds)
            return view(state=left.pop(0))

        steps = Asks(None).wait("r-1", timeout, every=0.5, seen=lambda one: told.append(one.state))
        try:
            return told, pauses, run_steps(steps, carry_out)
        except (NotReleased, StillWaiting) as e:
            return told, pauses, e

    told, pauses, end = wait("pending", "pending", "approved", "published")
    assert (told, pauses, end.state) == (["pending", "approved", "published"], [0.5] * 3, "published")
    assert isinstance(wait("pending", "declined")[2], NotReleased)
    assert isinstance(wait("pending", timeout=0)[2], StillWaiting)


def test_an_error_goes_into_the_steps_and_they_are_closed() -> None:
    closed: list[str] = []

    def steps() -> Steps[str]:
        try:
            try:
                yield from locally(lambda: 1 // 0)
            except ZeroDivisionError:
                return (yield from locally(lambda: "went on"))
            raise AssertionError
        finally:
            closed.append("closed")

    def carry_out(step: Any) -> Any:
        assert isinstance(step, Local)
        return step.work()

    assert run_steps(steps(), carry_out) == "went on"
    with pytest.raises(KeyboardInterrupt):
        run_steps(steps(), lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
    assert closed == ["closed", "closed"]


def test_a_call_that_is_cancelled_ends_and_the_client_goes_on(front: Running) -> None:
    async def job(client: AsyncClient) -> str:
        waiting = asyncio.create_task(client.wait("r-1", every=60))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        return (await client.status()).state

    assert awaited(front, job) in ("sealed", "unsealed")


def test_another_client_that_sends_by_httpx_can_use_the_session(front: Running) -> None:
    with Client(front.url, pins(front)) as client:
        auth = SessionAuth(client.open_session(Source()))
    body = {"ask": "sign", "project": "sdk", "formats": ["openpgp"],
            "states": [{"name": "a", "h": "6a09e667" * 8, "tail": "", "size": 64}]}  # fmt: skip
    with httpx.Client(base_url=front.url, auth=auth, trust_env=False) as other:
        answers = [other.post("/v1/sign", json=body) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
