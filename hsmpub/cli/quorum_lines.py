"""The lines of `hsmpub status` about one quorum: who holds, when it last showed that it works, and what waits."""

from __future__ import annotations

import time
from collections.abc import Iterable

from hsmpub.cli.say import say
from hsmpub.cli.visible import visible
from hsmpub.model.clock import rfc3339
from hsmpub.model.terms import say_period
from hsmpub.wire.messages import QuorumView


def say_quorum(quorum: QuorumView) -> None:
    """In plain words; yellow is what somebody has to do."""
    drilled = (
        f"last drill {rfc3339(quorum.drilled_at)}, {_ago(quorum.drilled_at)}" if quorum.drilled_at else "no drill yet"
    )
    say(f"The {visible(quorum.quorum)} quorum (epoch {quorum.epoch}): {quorum.threshold} of {_names(quorum.holders)}; "
        f"{drilled}.")  # fmt: skip
    if quorum.shown_at > quorum.drilled_at:
        say(f"  worked {rfc3339(quorum.shown_at)}, {_ago(quorum.shown_at)}")
    _say_people("shares neither confirmed nor shown yet", quorum.unconfirmed)
    _say_people("shares not shown for long", quorum.unseen)
    _say_people("left, and still hold shares", quorum.departed)
    if (new := quorum.waiting) is None:
        return
    say(f"  waiting: epoch {new.epoch}, of reshare {new.reshare}: {new.threshold} of {_names(new.holders)}")
    _say_people("  not confirmed yet", new.unconfirmed)
    _say_people("  left meanwhile", new.departed)


def _say_people(what: str, names: Iterable[str]) -> None:
    if text := _names(names):
        say(f"  {what}: {text}", "yellow")


def _names(names: Iterable[str]) -> str:
    return ", ".join(visible(name) for name in names)


def _ago(at: int) -> str:
    return f"{say_period(max(int(time.time()) - at, 0))} ago"
