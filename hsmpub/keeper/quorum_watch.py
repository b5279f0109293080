"""Watches both quorums: who has left, who has not shown or confirmed a share, and whether the last drill is too old."""

from __future__ import annotations

from collections.abc import Iterator

from hsmpub.approval.roster import Roster
from hsmpub.keeper.book import Book
from hsmpub.keeper.confirming import Confirming
from hsmpub.shares.facts import facts_of
from hsmpub.shares.record import HolderRecord, Purpose, RecoveryRecord, UnsealRecord
from hsmpub.wire import messages as m


class QuorumWatch:
    """What the log, the roster, the records and the confirmations say of the quorums now."""

    def __init__(self, book: Book, confirming: Confirming) -> None:
        self._book = book
        self._confirming = confirming

    def views(self) -> tuple[m.QuorumView, ...]:
        return tuple(self._view(quorum, record) for quorum, record in self._confirming.in_force.items())

    def warnings(self) -> Iterator[str]:
        days = self._book.policy.ceremonies.drill // 86_400
        for view in self.views():
            if view.is_stale:
                yield f"{view.quorum} quorum: not shown to work for more than {days} days; hold a drill"
            for holder in view.departed:
                yield f"{view.quorum} quorum: {holder} has left and still holds a share; make new shares"
            if view.waiting is not None:
                yield from _of_waiting(view.quorum, view.waiting)

    def counters(self) -> dict[str, float]:
        """The metrics of this part. An age is absent where there was no drill yet."""
        now, views = self._book.now(), self.views()
        waiting = [view.waiting for view in views if view.waiting is not None]
        return {
            "hsmpub_drills_stale": float(sum(view.is_stale for view in views)),
            "hsmpub_holders_departed": float(sum(len(view.departed) for view in views)),
            "hsmpub_sets_waiting": float(len(waiting)),
            "hsmpub_holders_unconfirmed": float(sum(len(one.unconfirmed) for one in waiting)),
            **{f"hsmpub_{view.quorum}_epoch": float(view.epoch) for view in views},
            **{
                f"hsmpub_{view.quorum}_shown_age_seconds": float(now - self._book.state.quorums.last_shown(view.quorum))
                for view in views
            },
            **{
                f"hsmpub_{view.quorum}_drill_age_seconds": float(max(now - view.drilled_at, 0))
                for view in views
                if view.drilled_at
            },
        }

    def _view(self, quorum: Purpose, record: UnsealRecord | RecoveryRecord) -> m.QuorumView:
        history, since = self._book.state.quorums, self._book.now() - self._book.policy.ceremonies.drill
        names = tuple(holder.name for holder in record.holders)
        drilled = history.drilled.get(quorum)
        missing = self._confirming.missing(quorum, facts_of(record))
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
            unconfirmed=tuple(name for name in missing if (quorum, name) not in history.seen),
            waiting=self._waiting(quorum),
        )

    def _waiting(self, quorum: Purpose) -> m.WaitingSet | None:
        record = self._confirming.waiting.get(quorum)
        if record is None:
            return None
        return m.WaitingSet(
            reshare=self._confirming.reshare,
            epoch=record.epoch,
            threshold=record.threshold,
            holders=tuple(holder.name for holder in record.holders),
            unconfirmed=self._confirming.missing(quorum, facts_of(record)),
            departed=departed_holders(record.holders, self._book.roster),
        )


def _of_waiting(quorum: str, waiting: m.WaitingSet) -> Iterator[str]:
    new = f"the new {quorum} set of reshare {waiting.reshare}"
    if waiting.departed:
        yield f"{new}: {', '.join(waiting.departed)} has left; hold the reshare again"
    elif waiting.unconfirmed:
        yield f"{new} waits for {', '.join(waiting.unconfirmed)} to confirm"
    else:
        yield f"{new} is confirmed by all; hold the second step, 'hsmpub-ceremony reshare --finish'"


def departed_holders(holders: tuple[HolderRecord, ...], roster: Roster) -> tuple[str, ...]:
    """Holders who are revoked in the roster: under the same name, or with the same SSH key."""
    revoked = {name: person for name, person in roster.persons.items() if person.revoked}
    keys = {" ".join(key.split()[:2]) for person in revoked.values() for key in person.keys}
    return tuple(holder.name for holder in holders if holder.name in revoked or holder.recipient in keys)
