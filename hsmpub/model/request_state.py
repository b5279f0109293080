"""Where one request stands, as the facts about it say.

A request goes one way through these states:

    pending ── approved by everybody needed ──► signed ──► published        (a release)
       │                                          └──────► done             (nothing to publish, or an adoption)
       ├── carried out ─► done, failed            (a request to decrypt)
       ├── a refusal ───► declined                signed ──► failed          (a target holds something else)
       └── its time ────► expired
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from hsmpub.model import entry as e
from hsmpub.model.contradiction import require
from hsmpub.model.statement import Statement

State = Literal["pending", "signed", "published", "done", "declined", "expired", "failed"]
OPEN: frozenset[State] = frozenset({"pending", "signed"})
ItemState = Literal["waiting", "attempting", "accepted", "already-same", "conflict", "failed", "unknown"]
FINISHED: frozenset[ItemState] = frozenset({"accepted", "already-same"})
#: What can be said of a request that was made.
Fact = e.Approved | e.Declined | e.Expired | e.NotDelivered | e.Signed | e.PublishIntent | e.PublishOutcome


@dataclass
class Item:
    """Publishing of one thing to one target. `attempt` counts from 1; 0 means none yet."""

    sha256: str
    state: ItemState = "waiting"
    attempt: int = 0
    detail: str = ""


@dataclass
class Request:
    """Where one request stands. `index` is its entry, `entries` all that speak of it."""

    id: str
    index: int
    statement: Statement
    state: State = "pending"
    why: str = ""
    approvals: dict[str, e.Approved] = field(default_factory=dict)
    signed: dict[str, tuple[e.Output, ...]] = field(default_factory=dict)
    items: dict[tuple[str, str], Item] = field(default_factory=dict)
    entries: list[int] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    @property
    def is_signed_whole(self) -> bool:
        """Every subject has its signatures."""
        return all(s.name in self.signed for s in self.statement.subject)

    def apply(self, index: int, entry: Fact) -> None:
        """Takes the next fact about this request, which is open.

        Raises:
            LogContradictsItself: this fact cannot follow the ones before it.
        """
        self.entries.append(index)
        match entry:
            case e.Approved():
                require(entry.person not in self.approvals, index, "an approval given twice")
                self.approvals[entry.person] = entry
            case e.Declined():
                self.state, self.why = "declined", f"{entry.person} refused"
            case e.Expired():
                self.state, self.why = "expired", entry.reason or "not approved in time"
            case e.NotDelivered():
                self.state, self.why = "failed", f"nothing could be delivered: {entry.reason}"
            case e.Signed():
                self.signed[entry.artifact] = entry.outputs
                self._settle()
            case e.PublishIntent():
                item = self.items.setdefault((entry.target, entry.item), Item(entry.sha256))
                require(entry.attempt == item.attempt + 1, index, "an attempt out of turn")
                item.attempt, item.state = entry.attempt, "attempting"
            case e.PublishOutcome():
                item = self.items.setdefault((entry.target, entry.item), Item(entry.observed))
                require(entry.attempt == item.attempt, index, "an outcome without its attempt")
                item.state, item.detail = entry.result, entry.detail
                self._settle()

    def _settle(self) -> None:
        """A release with everything signed is done, or waits for its targets, or has failed at one of them."""
        if not self.is_signed_whole:
            return
        self.state = "signed"
        conflicts = [key for key, item in self.items.items() if item.state == "conflict"]
        if conflicts:
            self.state = "failed"
            self.why = f"{conflicts[0][0]} already holds a different {conflicts[0][1]}"
        elif not self.statement.predicate.publish:
            self.state = "done"
        elif all(self._is_published(target) for target in self.statement.predicate.publish):
            self.state = "published"

    def _is_published(self, target: str) -> bool:
        """Targets of files hold every subject that goes there; a git target holds its one tag, signed under
        `git:<target>`. Where nothing goes, nothing is published."""
        tag = self.signed.get(f"git:{target}")
        statement = self.statement
        names = [tag[0].name] if tag else [s.name for s in statement.subject if statement.goes(s, target)]
        items = [self.items.get((target, name)) for name in names]
        return bool(items) and all(item is not None and item.state in FINISHED for item in items)
