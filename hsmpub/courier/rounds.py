"""Which publish workflow runs for which job. A job has one at a time; one that was given up gets the next round later.

The first round of a job is the workflow `request:target`, later ones `request:target:2`, … . Starting a workflow whose
name is taken starts nothing, so no job is ever worked on twice at once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from dbos import DBOS, SetWorkflowID

from hsmpub.courier.patience import Patience
from hsmpub.courier.workflow import PublishWorkflow
from hsmpub.wire import messages as m

log = logging.getLogger("hsmpub.courier")

_RUNNING = frozenset({"PENDING", "ENQUEUED", "DELAYED"})
#: Jobs that are worked on at the same time; each has at most one child.
_AT_ONCE = 8


@dataclass
class _Round:
    number: int
    ended_at: float | None


@dataclass
class Rounds:
    """Starts workflows for the jobs that the keeper lists. `clock`: monotonic seconds."""

    workflow: PublishWorkflow
    patience: Patience
    clock: Callable[[], float]
    _rounds: dict[tuple[str, str], _Round] = field(default_factory=dict)

    def start(self, jobs: tuple[m.Job, ...]) -> None:
        """Starts what is not running and has rested."""
        listed = {(job.request, job.target) for job in jobs}
        self._rounds = {key: value for key, value in self._rounds.items() if key in listed}
        running = 0
        for key in sorted(listed):
            running += self._is_running(key) or (running < _AT_ONCE and self._begin(key))

    def _is_running(self, key: tuple[str, str]) -> bool:
        known = self._rounds.get(key) or self._remembered(key)
        if known is None:
            return False
        self._rounds[key] = known
        if known.ended_at is None and _status(_name(key, known.number)) not in _RUNNING:
            known.ended_at = self.clock()
        return known.ended_at is None

    def _remembered(self, key: tuple[str, str]) -> _Round | None:
        """The last round of a job that an earlier process began."""
        number = 0
        while _status(_name(key, number + 1)):
            number += 1
        return _Round(number, None) if number else None

    def _begin(self, key: tuple[str, str]) -> bool:
        last = self._rounds.get(key)
        if last is not None:
            assert last.ended_at is not None
            if self.clock() < last.ended_at + self.patience.rest_after(last.number):
                return False
        number = last.number + 1 if last else 1
        with SetWorkflowID(_name(key, number)):
            DBOS.start_workflow(self.workflow.publish, *key)
        self._rounds[key] = _Round(number, None)
        log.info("job for %s began (round %d)", key[1], number, extra={"request": key[0]})
        return True


def _name(key: tuple[str, str], number: int) -> str:
    return ":".join(key) if number == 1 else f"{':'.join(key)}:{number}"


def _status(workflow: str) -> str:
    """Its status in DBOS's words, or empty when there is none."""
    found = DBOS.get_workflow_status(workflow)
    return found.status if found else ""
