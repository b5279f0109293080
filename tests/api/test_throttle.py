"""How often one asker may ask."""

from __future__ import annotations

import base64

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from running import running

from api.problem import TooManyRequests
from api.throttle import Throttle, asker


def test_a_burst_passes_and_then_one_for_each_period() -> None:
    throttle = Throttle(2.0, 3.0, "This address")
    for _ in range(3):
        throttle.check("a", 100.0)
    with pytest.raises(TooManyRequests):
        throttle.check("a", 100.0)
    throttle.check("a", 100.5)
    with pytest.raises(TooManyRequests):
        throttle.check("a", 100.6)
    throttle.check("b", 100.0)


@given(st.lists(st.floats(0, 0.5), max_size=200))
def test_never_more_than_burst_and_rate_allow(pauses: list[float]) -> None:
    throttle, now, passed = Throttle(10.0, 5.0, "It"), 50.0, 0
    for pause in pauses:
        now += pause
        try:
            throttle.check("x", now)
            passed += 1
        except TooManyRequests:
            pass
    assert passed <= 5 + 10 * (now - 50.0) + 1e-6


def test_askers_are_forgotten_not_piled_up() -> None:
    throttle = Throttle(1.0, 1.0, "It", keys=10)
    for number in range(1000):
        throttle.check(number, 1.0)
    assert len(throttle._buckets) == 10


def test_a_network_is_one_asker_and_a_host_is_one() -> None:
    assert asker(("2001:db8:1:2::1", 5)) == asker(("2001:db8:1:2:ffff::9", 7))
    assert asker(("2001:db8:1:2::1", 5)) != asker(("2001:db8:1:3::1", 5))
    assert asker(("192.0.2.1", 5)) == asker(("192.0.2.1", 6)) != asker(("192.0.2.2", 5))
    assert asker(None) == "local"
    assert asker(("fe80::1%eth0", 1)) == asker(("fe80::2", 1))


def test_what_costs_is_throttled_before_anybody_is_authenticated() -> None:
    with running(costly_rate=0.001, costly_burst=2) as front, httpx.Client(base_url=front.url, trust_env=False) as http:
        answers = [http.post("/v1/sessions", json={"token": "t", "client_key": "AAAA"}) for _ in range(3)]
        assert [answer.status_code for answer in answers][2] == 429
        told = answers[2].json()
        assert (told["type"], told["retry"]) == ("urn:hsmpub:rule:too-many-requests", True)
        assert answers[2].headers["retry-after"] == "1"
        headers = {"hsmpub-session": "AAAA", "hsmpub-counter": "1", "hsmpub-mac": base64.b64encode(b"m" * 32).decode()}
        assert http.post("/v1/sign", headers=headers).status_code == 429  # an unknown session is a stranger
        assert http.get("/v1/status").status_code == 200


def test_an_address_is_throttled_whatever_it_asks() -> None:
    with running(address_rate=0.001, address_burst=4) as front:
        with httpx.Client(base_url=front.url, trust_env=False) as http:
            found = [http.get("/nothing").status_code for _ in range(6)]
        assert found.count(404) <= 4
        assert found[-1] == 429
