"""When each quorum, and each of its holders, last showed that their shares work: a fold over the log."""

from __future__ import annotations

from dataclasses import dataclass, field

from hsmpub.model import entry as e


@dataclass
class QuorumHistory:
    """Times in seconds since 1970, by quorum (`unseal`, `recovery`).

    began: its shares were made; shown: the whole quorum opened what it has to (a drill, an unsealing, a restore);
    drilled: the last drill; seen: the last time that this holder's share was accepted, by quorum and holder.
    """

    began: dict[str, int] = field(default_factory=dict)
    shown: dict[str, int] = field(default_factory=dict)
    drilled: dict[str, e.Drilled] = field(default_factory=dict)
    seen: dict[tuple[str, str], int] = field(default_factory=dict)

    def apply(self, entry: e.Entry) -> None:
        """Takes the next fact; most are none of its concern."""
        match entry:
            case e.Genesis():
                self._begin("unseal", entry.at)
                self._begin("recovery", entry.at)
            case e.Restored():
                self._begin("unseal", entry.at)
                self._show("recovery", entry.holders, entry.at)
            case e.CeremonyHeld():
                for quorum, epoch in (("unseal", entry.epoch), ("recovery", entry.recovery_epoch)):
                    if epoch:
                        self._begin(quorum, entry.at)
            case e.ShareHandedIn():
                self.seen["unseal", entry.holder] = entry.at
            case e.UnsealedBy():
                self._show("unseal", entry.holders, entry.at)
            case e.Drilled():
                self._show(entry.quorum, entry.holders, entry.at)
                self.drilled[entry.quorum] = entry

    def last_shown(self, quorum: str) -> int:
        """When it was last known to work: shown, or made and checked."""
        return max(self.shown.get(quorum, 0), self.began.get(quorum, 0))

    def last_seen(self, quorum: str, holder: str) -> int:
        """When the holder last showed the share, or was given it."""
        return max(self.seen.get((quorum, holder), 0), self.began.get(quorum, 0))

    def _show(self, quorum: str, holders: tuple[str, ...], at: int) -> None:
        self.shown[quorum] = at
        self.seen |= {(quorum, holder): at for holder in holders}

    def _begin(self, quorum: str, at: int) -> None:
        """A new set of shares: nothing is known of them yet."""
        self.began[quorum] = at
        self.shown.pop(quorum, None)
        self.drilled.pop(quorum, None)
        self.seen = {key: seen for key, seen in self.seen.items() if key[0] != quorum}
