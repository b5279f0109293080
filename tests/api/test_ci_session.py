"""A CI session end to end: the client makes the MAC, the front carries it, the (fake) keeper checks it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator

import pytest
from running import Running, running

from hsmpub.client.client import Client
from hsmpub.client.session import KeeperNotThePinnedOne
from hsmpub.errors import Refused
from hsmpub.model.submission import HashState, load_ci_submission
from hsmpub.model.trust import Trust
from hsmpub.wire import messages as m

STATE = HashState("sdk-1.0.whl", "6a09e667" * 8, "", 64)


class Source:
    """A token source that remembers what it was asked for."""

    def __init__(self) -> None:
        self.audience = ""

    def token(self, audience: str) -> str:
        self.audience = audience
        return "header.claims.signature"


def trust_of(front: Running) -> Trust:
    return Trust("hsmpub-test", "log-key", front.keeper.keeper_key, ())


@pytest.fixture(scope="module", params=["the short way", "through the router"])
def front(request: pytest.FixtureRequest) -> Iterator[Running]:
    """Both ways to the signing route keep the same contract."""
    with running() as up:
        if request.param == "through the router":
            up.close_the_short_way()
        yield up


@pytest.fixture
def client(front: Running) -> Client:
    client = Client(front.url, trust_of(front))
    yield client
    client.close()


def test_the_token_is_bound_to_the_sessions_key(front: Running, client: Client) -> None:
    source = Source()
    client.open_session(source)
    opened = next(s for s in reversed(front.keeper.seen) if isinstance(s, m.OpenSession))
    digest = base64.urlsafe_b64encode(hashlib.sha256(opened.client_key).digest()).rstrip(b"=").decode()
    assert source.audience == f"hsmpub-test#{digest}"
    assert opened.token == b"header.claims.signature"


def test_every_request_carries_a_mac_that_the_keeper_accepts(front: Running, client: Client) -> None:
    client.open_session(Source())
    for _ in range(3):
        reply = client.sign("sdk", ["openpgp"], states=[STATE])
        assert reply.made[0].output == b"signature of sdk-1.0.whl"
    counters = [s.counter for s in front.keeper.seen if isinstance(s, m.Submit)][-3:]
    assert counters == [1, 2, 3]


def test_the_exact_bytes_reach_the_keeper(front: Running, client: Client) -> None:
    client.open_session(Source())
    client.sign("sdk", ["openpgp"], states=[STATE])
    submitted = next(s for s in reversed(front.keeper.seen) if isinstance(s, m.Submit))
    assert load_ci_submission(submitted.body).states == (STATE,)


def test_a_changed_body_is_refused(client: Client) -> None:
    session = client.open_session(Source())
    body = b'{"ask":"sign","project":"sdk","formats":[]}'
    headers = session.headers(body)
    with pytest.raises(Refused) as refused:
        client.http.raw("POST", "/v1/sign", content=body + b" ", headers=headers)
    assert refused.value.rule == "mac-wrong"
    assert refused.value.problem.family == "unauthenticated"


def test_a_request_sent_twice_is_refused(client: Client) -> None:
    session = client.open_session(Source())
    body = b'{"ask":"sign","project":"sdk","formats":["openpgp"],"states":[{"name":"a","h":"","tail":"","size":0}]}'
    headers = session.headers(body)
    client.http.raw("POST", "/v1/sign", content=body, headers=headers)
    with pytest.raises(Refused) as refused:
        client.http.raw("POST", "/v1/sign", content=body, headers=headers)
    assert refused.value.rule == "counter-used"


def test_the_client_refuses_a_keeper_that_is_not_pinned(front: Running) -> None:
    stranger = Trust("hsmpub-test", "log-key", "ab" * 32, ())
    with Client(front.url, stranger) as client, pytest.raises(KeeperNotThePinnedOne):
        client.open_session(Source())


def test_the_client_refuses_an_intake_key_that_is_not_signed(front: Running, client: Client) -> None:
    assert len(client.intake_key()) == 32
    front.keeper.script[m.GetStatus] = front.keeper.status(intake_key="cd" * 32)
    try:
        with pytest.raises(KeeperNotThePinnedOne):
            client.intake_key()
    finally:
        front.keeper.script[m.GetStatus] = lambda _: front.keeper.status()
