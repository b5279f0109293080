"""One durable workflow for one request and target. DBOS remembers which stages are done; a stage that was under way
when the process died is run again, and looks before it acts (hsmpub.courier.delivery).

Only names, digests, numbers and problems are stored, as JSON; no pickles and nothing secret.
"""

from __future__ import annotations

import logging
from typing import Any, Literal

import msgspec
from dbos import DBOS, DBOSConfiguredInstance

from hsmpub.courier.delivery import Delivery
from hsmpub.courier.verdict import Attempted, Verdict
from hsmpub.errors import HsmpubError

log = logging.getLogger("hsmpub.courier")

Ending = Literal["published", "conflict", "withdrawn", "given-up"]
#: A courier that is killed again and again resumes all the same.
_RECOVERIES = 100_000


def is_worth_retrying(error: BaseException) -> bool:
    """Whether a stage that raised this is run again at once: the keeper was away or busy."""
    return isinstance(error, HsmpubError) and error.retry


_stage = DBOS.step(
    retries_allowed=True, interval_seconds=0.5, max_attempts=6, backoff_rate=2.0, should_retry=is_worth_retrying
)


@DBOS.dbos_class()
class PublishWorkflow(DBOSConfiguredInstance):
    """Registered under one fixed name, so that a new process finds it for the workflows of the last one."""

    def __init__(self, delivery: Delivery) -> None:
        super().__init__("courier")
        self._delivery = delivery

    @DBOS.workflow(name="publish", max_recovery_attempts=_RECOVERIES)
    def publish(self, request: str, target: str) -> Ending:
        """Publishes the job's items in order; stops hard at a conflict, gives up for now after some tries."""
        for name in self.item_names(request, target):
            ending = self._one(request, target, name)
            if ending != "published":
                return ending
        return "published"

    def _one(self, request: str, target: str, name: str) -> Ending:
        patience = self._delivery.patience
        for turn in range(patience.tries):
            tried = msgspec.convert(self.attempt(request, target, name), Attempted)
            if tried.came in ("withdrawn", "finished"):
                return "published" if tried.came == "finished" else "withdrawn"
            last = turn == patience.tries - 1 or (tried.problem is not None and not tried.problem.retry)
            if tried.came in ("unreadable", "refused"):
                _say("waits", request, target, name, tried.problem.detail if tried.problem else tried.detail)
                if tried.problem is not None and tried.problem.rule == "sealed":
                    return "given-up"  # nothing about the item: it goes on when holders have unsealed
                if last:
                    self.note(request, target, name, msgspec.to_builtins(tried))
                    return "given-up"
            else:
                verdict = msgspec.convert(self.read_back(request, target, name, msgspec.to_builtins(tried)), Verdict)
                self.record(request, target, name, msgspec.to_builtins(verdict))
                _say(verdict.result, request, target, name, verdict.detail)
                if verdict.result in ("accepted", "already-same"):
                    return "published"
                if verdict.result == "conflict":
                    return "conflict"
                if last or verdict.lasting:
                    return "given-up"
            DBOS.sleep(patience.pause_after(turn))
        return "given-up"

    @_stage
    def item_names(self, request: str, target: str) -> list[str]:
        job = self._delivery.find(request, target)
        return [item.name for item in job.items] if job else []

    @_stage
    def attempt(self, request: str, target: str, name: str) -> Any:
        return msgspec.to_builtins(self._delivery.attempt(request, target, name))

    @_stage
    def read_back(self, request: str, target: str, name: str, tried: Any) -> Any:
        return msgspec.to_builtins(
            self._delivery.read_back(request, target, name, msgspec.convert(tried, Attempted))
        )  # fmt: skip

    @_stage
    def record(self, request: str, target: str, name: str, verdict: Any) -> None:
        self._delivery.record(request, target, name, msgspec.convert(verdict, Verdict))

    @_stage
    def note(self, request: str, target: str, name: str, tried: Any) -> None:
        """Leaves the reason in the log where no attempt could be made."""
        self._delivery.note(request, target, name, msgspec.convert(tried, Attempted))


def _say(what: str, request: str, target: str, name: str, detail: str) -> None:
    log.info("%s: %s at %s%s", what, name, target, f" ({detail})" if detail else "", extra={"request": request})
