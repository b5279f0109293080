"""Holders confirm that their share of a set is the one that was made, from their own machines, in their own time.

A set that a reshare made comes into force when every holder has confirmed; the first set, and a restored one, are in
force at once, and the status names who has neither confirmed nor shown their share since.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from hsmpub.errors import Conflict, Unavailable
from hsmpub.shares.confirmation import (
    Confirmation,
    check_confirmation,
    dump_confirmations,
    load_confirmation,
    load_confirmations,
)
from hsmpub.shares.facts import QuorumFacts, facts_of
from hsmpub.shares.pending import PendingSets
from hsmpub.shares.record import Purpose, RecoveryRecord, UnsealRecord
from hsmpub.wire import messages as m

Record = UnsealRecord | RecoveryRecord


class NoSuchSet(Conflict):
    advice = "Check your share against the newest transcript: another reshare has replaced the set that you confirmed."


class ConfirmationNotKept(Unavailable):
    advice = "Make room on the keeper's disk, and send it again."


class Confirming:
    """What is confirmed of the sets in force and of those that wait. file: where it is kept, public facts only."""

    def __init__(self, file: Path, in_force: dict[Purpose, Record], pending: PendingSets | None) -> None:
        self._file = file
        self.reshare = pending.number if pending is not None else 0
        self.in_force = in_force
        self.waiting = pending.records() if pending is not None else {}
        self._confirmed: dict[tuple[str, str], Confirmation] = {}
        known = load_confirmations(file.read_bytes()) if file.exists() else ()
        for confirmation in known:
            if self._facts(confirmation) is not None:
                self._confirmed[confirmation.quorum, confirmation.holder] = confirmation

    def confirm(self, message: m.Confirm) -> m.Done:
        """Keeps it, and says who of the set is missing.

        Raises:
            ConfirmationMalformed, NoSuchSet, UnknownHolder, HolderHasNoVerifier, HolderSignatureWrong.
            ConfirmationNotKept: the disk refuses.
        """
        confirmation = load_confirmation(message.confirmation)
        facts = self._facts(confirmation)
        if facts is None:
            raise NoSuchSet("No set of shares that is in force, or waits for its holders, is the one confirmed.")
        check_confirmation(confirmation, confirmation.purpose, facts)
        if (confirmation.quorum, confirmation.holder) not in self._confirmed:  # whoever saw it could send it for ever
            confirmed = {**self._confirmed, (confirmation.quorum, confirmation.holder): confirmation}
            self._keep(dump_confirmations(confirmed.values()))
            self._confirmed = confirmed
        missing = self.missing(confirmation.purpose, facts)
        left = f"Not confirmed yet by {', '.join(missing)}." if missing else "Every holder has confirmed it."
        return m.Done(f"Confirmed: the {confirmation.purpose} set of epoch {facts.epoch}. {left}")

    def missing(self, purpose: Purpose, facts: QuorumFacts) -> tuple[str, ...]:
        """Holders of a set who have not confirmed, in its order."""
        digest = facts.digest(purpose)
        return tuple(holder.name for holder in facts.holders if (digest, holder.name) not in self._confirmed)

    def _facts(self, confirmation: Confirmation) -> QuorumFacts | None:
        """Of the set that is confirmed, if it is known."""
        for purpose, record in self._sets():
            facts = facts_of(record)
            if (purpose, facts.digest(purpose)) == (confirmation.purpose, confirmation.quorum):
                return facts
        return None

    def _sets(self) -> Iterator[tuple[Purpose, Record]]:
        yield from self.in_force.items()
        yield from self.waiting.items()

    def _keep(self, data: bytes) -> None:
        new = self._file.with_name(f".{self._file.name}.new")
        try:
            with new.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._file)
        except OSError as error:
            raise ConfirmationNotKept(f"The confirmation cannot be written: {error.strerror}.") from None
