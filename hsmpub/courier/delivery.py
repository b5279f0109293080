"""The stages of publishing one item. Each may be run again after a crash at any point, and never uploads blindly.

attempt    look; if it is not there, and only then: begin an attempt and upload
read back  look until the target shows something, or long enough
record     tell the keeper, once

The keeper's log is the memory: an attempt that it shows as open was begun by a courier that did not live to record
its outcome, so it is read back, and recorded, before the next begins.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from hsmpub.courier.patience import Patience
from hsmpub.courier.spawn import ChildLost
from hsmpub.courier.task import Look, Publish, Report, Task
from hsmpub.courier.verdict import Attempted, Verdict, judge
from hsmpub.errors import Broken, Problem
from hsmpub.model.entry import PublishResult
from hsmpub.wire import messages as m

FINISHED = frozenset({"accepted", "already-same"})
#: States of an item in which an upload of ours may or may not have arrived.
_OPEN = frozenset({"attempting", "unknown"})

Ask = Callable[[m.CourierMessage], m.CourierReply]


class UnexpectedReply(Broken):
    advice = "Keeper and courier are of different versions; start both again."


@dataclass(frozen=True)
class Delivery:
    """Publishes items.

    Attributes:
        ask: sends a message to the keeper. run: does a task in a child, at most so many seconds; `trusted` children
            may speak to the keeper. socket: the keeper's courier channel. artifacts: the store's folder.
        work: for children's short-lived files. wait: sleeps so many seconds.
    """

    ask: Ask
    run: Callable[[Task, float, bool], Report]
    socket: Path
    artifacts: Path
    work: Path
    patience: Patience
    wait: Callable[[float], None] = time.sleep

    def jobs(self) -> tuple[m.Job, ...]:
        """Raises Refused, KeeperUnreachable."""
        reply = self.ask(m.GetJobs())
        if not isinstance(reply, m.JobsReply):
            raise UnexpectedReply("The keeper answers GetJobs with something else.")
        return reply.jobs

    def find(self, request: str, target: str) -> m.Job | None:
        """The job as the keeper sees it now; None when it is finished, failed or withdrawn."""
        return next((job for job in self.jobs() if (job.request, job.target) == (request, target)), None)

    def attempt(self, request: str, target: str, name: str) -> Attempted:
        """First stage. Raises Refused, KeeperUnreachable."""
        job, item = self._item(request, target, name)
        if job is None or item is None:
            return Attempted("withdrawn")
        if item.state in FINISHED:
            return Attempted("finished", item.attempt)
        open_before = item.state in _OPEN
        seen = self._settled(job, item) if open_before else self._look(job, item)
        if seen.shown in ("same", "different"):
            return Attempted("found", item.attempt, open_before, seen.shown, seen.observed)
        if seen.shown == "unknown" and not seen.hidden:
            return Attempted("unreadable", item.attempt, open_before, detail=seen.detail, problem=seen.problem)
        if open_before:
            # the keeper lets the next attempt begin only when the last one has an outcome
            gone = "It was not there when read back." if seen.shown == "absent" else "The next attempt reads it back."
            self.record(request, target, name, Verdict("failed", item.attempt, detail=gone))
        return self._upload(job, item, seen.hidden, open_before)

    def read_back(self, request: str, target: str, name: str, tried: Attempted) -> Verdict:
        """Second stage. Raises Refused, KeeperUnreachable."""
        job, item = self._item(request, target, name)
        if tried.came != "tried" or tried.hidden or job is None or item is None:
            return judge(tried, tried.shown, tried.observed, tried.detail)
        seen = self._settled(job, item) if tried.answer in ("yes", "unknown") else self._look(job, item)
        return judge(tried, seen.shown, seen.observed, seen.detail)

    def record(self, request: str, target: str, name: str, verdict: Verdict) -> None:
        """Third stage; harmless when it was done before. Raises Refused, KeeperUnreachable."""
        _, item = self._item(request, target, name)
        result: PublishResult = verdict.result
        if item is None or item.state in FINISHED or (item.state, item.attempt) == (result, verdict.attempt):
            return
        self.ask(m.RecordOutcome(request, target, name, verdict.attempt, result, verdict.observed, verdict.detail))

    def note(self, request: str, target: str, name: str, tried: Attempted) -> None:
        """Records why no attempt could be made. Raises Refused, KeeperUnreachable."""
        reason = tried.problem.detail if tried.problem else tried.detail
        result: PublishResult = "unknown" if tried.open_before else "failed"
        self.record(request, target, name, Verdict(result, tried.attempt, detail=reason))

    def _upload(self, job: m.Job, item: m.JobItem, hidden: bool, open_before: bool) -> Attempted:
        task = Publish(job.request, job.target, str(self.socket), self._task(job, item), hidden)
        try:
            report = self.run(task, self.patience.child_time(item.size), True)
        except ChildLost as error:
            report = Report(problem=Problem.of(error))
        if report.attempt:
            return Attempted("tried", report.attempt, open_before, report.shown, report.observed, report.detail,
                             hidden, report.answer, report.problem)  # fmt: skip
        _, now = self._item(job.request, job.target, item.name)
        if now is not None and now.state == "attempting":
            return Attempted("tried", now.attempt, open_before, hidden=hidden, answer="unknown", problem=report.problem)
        return Attempted("refused", item.attempt, open_before, problem=report.problem)

    def _settled(self, job: m.Job, item: m.JobItem) -> Report:
        """Looks until the target shows the item, or something else in its place, or has been silent long enough."""
        seen = Report()
        for pause in self.patience.waits_between_reads():
            self.wait(pause)
            seen = self._look(job, item)
            if seen.shown in ("same", "different") or seen.hidden:
                break
        return seen

    def _look(self, job: m.Job, item: m.JobItem) -> Report:
        try:
            report = self.run(self._task(job, item), self.patience.child_time(0), False)
        except ChildLost as error:
            report = Report(problem=Problem.of(error))
        if report.problem is not None and not report.detail:
            report = msgspec.structs.replace(report, detail=report.problem.detail)
        return report

    def _task(self, job: m.Job, item: m.JobItem) -> Look:
        path = "" if item.content else str(self.artifacts / item.sha256[:2] / item.sha256)
        return Look(job.kind, job.settings, item.name, item.sha256, item.size, item.content, path, job.commit,
                    self.patience.timeout, self.patience.lifetime, str(self.work))  # fmt: skip

    def _item(self, request: str, target: str, name: str) -> tuple[m.Job | None, m.JobItem | None]:
        job = self.find(request, target)
        return job, next((item for item in job.items if item.name == name), None) if job else None
