"""Watches both quorums: who has left, who has not shown a share for long, and whether the last drill is too old."""

from __future__ import annotations

from collections.abc import Iterator

from hsmpub.approval.roster import Roster
from hsmpub.keeper.book import Book
from hsmpub.shares.record import HolderRecord, RecoveryRecord, UnsealRecord
from hsmpub.wire import messages as m


class QuorumWatch:
    """What the log, the roster and the records say of the quorums now."""

    def __init__(self, book: Book, unseal: UnsealRecord, recovery: RecoveryRecord) -> None:
        self._book = book
        self._records: dict[m.QuorumName, UnsealRecord | RecoveryRecord] = {"unseal": unseal, "recovery": recovery}

    def views(self) -> tuple[m.QuorumView, ...]:
        return tuple(self._view(quorum, record) for quorum, record in self._records.items())

    def warnings(self) -> Iterator[str]:
        days = self._book.policy.ceremonies.drill // 86_400
        for view in self.views():
            if view.is_stale:
                yield f"{view.quorum} quorum: not shown to work for more than {days} days; hold a drill"
            for holder in view.departed:
                yield f"{view.quorum} quorum: {holder} has left and still holds a share; make new shares"

    def counters(self) -> dict[str, float]:
        """The metrics of this part."""
        now, views = self._book.now(), self.views()
        return {
            "hsmpub_drills_stale": float(sum(view.is_stale for view in views)),
            "hsmpub_holders_departed": float(sum(len(view.departed) for view in views)),
            **{
                f"hsmpub_{view.quorum}_shown_age_seconds": float(now - self._book.state.quorums.last_shown(view.quorum))
                for view in views
            },
        }

    def _view(self, quorum: m.QuorumName, record: UnsealRecord | RecoveryRecord) -> m.QuorumView:
        history, since = self._book.state.quorums, self._book.now() - self._book.policy.ceremonies.drill
        names = tuple(holder.name for holder in record.holders)
        drilled = history.drilled.get(quorum)
        return m.QuorumView(
            quorum=quorum,
            epoch=record.epoch,
            threshold=record.threshold,
            holders=names,
            drilled_at=drilled.at if drilled else 0,
            shown_at=history.shown.get(quorum, 0),
            is_stale=history.last_shown(quorum) < since,
            unseen=tuple(name for name in names if history.last_seen(quorum, name) < since),
            departed=departed_holders(record.holders, self._book.roster),
        )


def departed_holders(holders: tuple[HolderRecord, ...], roster: Roster) -> tuple[str, ...]:
    """Holders who are revoked in the roster: under the same name, or with the same SSH key."""
    revoked = {name: person for name, person in roster.persons.items() if person.revoked}
    keys = {" ".join(key.split()[:2]) for person in revoked.values() for key in person.keys}
    return tuple(holder.name for holder in holders if holder.name in revoked or holder.recipient in keys)
