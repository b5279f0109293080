"""A job that asks a service which has just started waits for it, and only for that."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from hsmpub.client import session
from hsmpub.client.session import open_session
from hsmpub.client.steps import Call, Local, Pause
from hsmpub.errors import HsmpubError, Problem, Refused
from hsmpub.identity.refusals import IssuerKeysMissing, TokenExpired
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


def test_does_not_ask_again_after_another_refusal() -> None:
    steps, _ = _asking()
    with pytest.raises(Refused, match="late"):
        _answered(steps, TokenExpired("late"))
