"""What the log says of ceremonies: how many there were, and which sets of shares are in force."""

from __future__ import annotations

from dataclasses import dataclass

from hsmpub.model import entry as e
from hsmpub.model.contradiction import require


@dataclass
class Ceremonies:
    """A part of `hsmpub.model.fold.ServiceState`."""

    epoch: int = 0
    recovery_epoch: int = 0
    last_epoch: int = 0  # the highest that a set of shares was made for, in force or not
    last_recovery_epoch: int = 0
    ceremonies: int = 0
    broken_glass: int = 0  # number of the ceremony that adopted policy or roster without approvals; 0: approvals did

    def _begin(self, entry: e.Genesis) -> None:
        self.epoch = self.recovery_epoch = self.last_epoch = self.last_recovery_epoch = entry.epoch

    def _held(self, index: int, entry: e.CeremonyHeld) -> None:
        require(entry.number == self.ceremonies + 1, index, "a ceremony out of turn")
        self.ceremonies = entry.number
        if entry.ceremony == "break-glass":
            self.broken_glass = entry.number
        self.epoch = entry.epoch or self.epoch
        self.recovery_epoch = entry.recovery_epoch or self.recovery_epoch
        self.last_epoch = max(self.last_epoch, entry.epoch, entry.pending_epoch)
        self.last_recovery_epoch = max(self.last_recovery_epoch, entry.recovery_epoch, entry.pending_recovery_epoch)

    def _restored(self, entry: e.Restored) -> None:
        self.epoch = entry.epoch
        self.last_epoch = max(self.last_epoch, entry.epoch)
