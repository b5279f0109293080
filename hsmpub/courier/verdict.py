"""What an attempt and a look at the target together mean. Pure.

| the target shows | it said | result |
|---|---|---|
| the same | yes, or no whole answer; or an earlier attempt of ours was open | `accepted` |
| the same | no, or nothing was sent | `already-same`: somebody else put it there |
| something different | anything | `conflict`: a hard stop |
| nothing | no, or nothing was sent | `failed`: the next attempt may begin |
| nothing, or cannot be read | yes, or no whole answer | `unknown`: it is read again before anything is tried |
| cannot be read | no, or nothing was sent | `failed` |
"""

from __future__ import annotations

from typing import Literal

import msgspec

from hsmpub.courier.task import AnswerKind, Shown
from hsmpub.errors import Problem
from hsmpub.model.entry import PublishResult

#: How far the stage "attempt" came: the job is gone, the item is finished, the target could not be read before, the
#: item stood there already, the keeper or the item's own form refused, or an attempt was made.
Came = Literal["withdrawn", "finished", "unreadable", "found", "refused", "tried"]


class Attempted(msgspec.Struct, frozen=True):
    """Result of the stage "attempt" for one item.

    attempt: number of the keeper's last attempt; open_before: an attempt of ours had no known outcome before.
    shown, observed: what the target showed last, in this stage; hidden: strangers see nothing there.
    answer: what it said to the upload. problem: what stood in the way.
    """

    came: Came
    attempt: int = 0
    open_before: bool = False
    shown: Shown = "unknown"
    observed: str = ""
    detail: str = ""
    hidden: bool = False
    answer: AnswerKind = ""
    problem: Problem | None = None


class Verdict(msgspec.Struct, frozen=True):
    """What is recorded of an attempt. lasting: trying again soon would not help."""

    result: PublishResult
    attempt: int
    observed: str = ""
    detail: str = ""
    lasting: bool = False


def judge(tried: Attempted, shown: Shown, observed: str, detail: str) -> Verdict:
    """The verdict on an attempt, once the target was read back."""
    sent = tried.answer in ("yes", "unknown")
    said = tried.problem.detail if tried.problem else ""
    if shown == "same":
        own = sent or tried.open_before
        return Verdict("accepted" if own else "already-same", tried.attempt, observed)
    if shown == "different":
        return Verdict("conflict", tried.attempt, observed, said or "The target holds something different.")
    if sent:
        silent = "The target said yes, and does not show it." if shown == "absent" else detail
        return Verdict("unknown", tried.attempt, "", said or silent, _lasts(tried.problem))
    return Verdict("failed", tried.attempt, "", said or detail, _lasts(tried.problem))


def _lasts(problem: Problem | None) -> bool:
    return problem is not None and not problem.retry
