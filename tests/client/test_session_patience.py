"""A job that asks a service which has just started waits for it, and only for that."""

from __future__ import annotations

from collections.abc import Generator
from types import SimpleNamespace
from typing import Any

import pytest

from hsmpub.client import session
from hsmpub.client.session import KeeperNotThePinnedOne, open_session
from hsmpub.client.steps import Call, Local, Pause
from hsmpub.errors import HsmpubError, Problem, Refused
from hsmpub.identity.refusals import IssuerKeysMissing, TokenExpired, TokenForAnotherAudience
from hsmpub.model.trust import Trust


class Source:
    def token(self, audience: str) -> str:
        return "token"


def _asking() -> tuple[Generator[Any, Any, Any], Call[Any]]:
    """A client that has its token, and what it asks."""
    steps = open_session(Source(), Trust("service", "log-key", "00" * 32, ()))
    assert isinstance(next(steps), Local)
    asked = steps.send("token")
    assert isinstance(asked, Call)
    return steps, asked


def _answered(steps: Generator[Any, Any, Any], error: HsmpubError) -> Any:
    """As a client hears of what the keeper raised."""
    return steps.throw(Refused(Problem.of(error)))


def test_asks_again_with_the_same_token_while_the_keys_of_its_issuer_are_missing() -> None:
    steps, asked = _asking()
    for _ in range(3):
        assert isinstance(_answered(steps, IssuerKeysMissing("not yet")), Pause)
        again = steps.send(None)
        assert isinstance(again, Call)
        assert again.content == asked.content


def test_gives_up_when_they_stay_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "PATIENCE", -1.0)
    steps, _ = _asking()
    with pytest.raises(Refused, match="not yet"):
        _answered(steps, IssuerKeysMissing("not yet"))


def _status(service: str, key: str) -> Any:
    return SimpleNamespace(service=service, keeper_key=key)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (
            _status("other", "11" * 32),
            "This address is the service 'other', and the pins are of the service 'service'.",
        ),
        (_status("service", "11" * 32), "This address is the service 'service', and the pins are of another keeper."),
    ],
)
def test_pins_of_another_service_are_told_and_not_a_token_that_is_as_it_should_be(status: Any, said: str) -> None:
    steps, _ = _asking()
    asked = _answered(steps, TokenForAnotherAudience("The identity token is for 'service#x'."))
    assert asked.path == "/v1/status"
    with pytest.raises(KeeperNotThePinnedOne, match=said) as refusal:
        steps.send(status)
    assert "--trust" in refusal.value.next_step


def test_an_audience_that_the_pinned_service_does_not_take_is_told() -> None:
    steps, _ = _asking()
    _answered(steps, TokenForAnotherAudience("The identity token is for 'service#x'."))
    with pytest.raises(Refused, match="is for 'service#x'"):
        steps.send(_status("service", "00" * 32))


def test_does_not_ask_again_after_another_refusal() -> None:
    steps, _ = _asking()
    with pytest.raises(Refused, match="late"):
        _answered(steps, TokenExpired("late"))
