"""What a rehearsal is held on: a throw-away home with the holders, quorums, policy and roster of the real one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from ceremony.file import CeremonyFile, FilesTable, LogTable, ServiceTable
from ceremony.gather import ShareAtHand
from ceremony.genesis import run_genesis
from ceremony.plan import Plan
from ceremony.quorum_table import GroupTable, HolderTable, QuorumTable
from ceremony.standing.quorum import AtHand
from hsmpub.home import Home
from hsmpub.model import entry as e
from hsmpub.model.trust import Trust, load_trust
from hsmpub.shares.pending import PendingSets, load_pending
from hsmpub.shares.record import Group, Quorum, RecoveryRecord, UnsealRecord
from hsmpub.shares.record_file import load_recovery_record, load_unseal_record
from hsmpub.shares.throwaway import ThrowAwayKey, throw_away_key
from hsmpub.tlog.note import load_verifier_key
from hsmpub.tlog.reader import LogReader


@dataclass(frozen=True)
class Layout:
    """What a rehearsal takes over from the real home; nothing of it is secret. pending: sets that wait for holders."""

    trust: Trust
    unseal: UnsealRecord
    recovery: RecoveryRecord
    pending: PendingSets | None
    policy: str
    roster: str


@dataclass(frozen=True)
class Stand:
    """A throw-away home and the private keys of its holders, by name."""

    home: Home
    keys: Mapping[str, ThrowAwayKey]

    def at_hand(self) -> AtHand:
        """As many shares of either quorum as are needed."""
        genesis = self.home.genesis
        unseal = load_unseal_record(self.home.unseal_record.read_bytes())
        recovery = load_recovery_record(self.home.recovery_record.read_bytes())
        return AtHand(
            self.shares(enough_of(unseal), genesis / "shares"), self.shares(enough_of(recovery), genesis / "recovery")
        )

    def shares(self, names: Sequence[str], folder: Path) -> list[ShareAtHand]:
        """Shares from a folder, with their holders' keys."""
        return [
            ShareAtHand(name, (folder / f"{name}.age").read_bytes(), bytearray(self.keys[name].identity))
            for name in names
        ]


def layout_of(home: Home) -> Layout:
    """Reads a home, running or not. Raises RecordMalformed, TrustMalformed, EntryMalformed, the rules of the log."""
    policy = roster = ""
    with closing(LogReader.open(home.log)) as reader:
        for start in range(0, reader.size, 4096):
            for data in reader.entries(start, min(start + 4096, reader.size)):
                entry = e.load_entry(data)
                if isinstance(entry, e.PolicyAdopted):
                    policy = entry.text
                elif isinstance(entry, e.RosterAdopted):
                    roster = entry.text
    pending = load_pending(home.pending_sets.read_bytes()) if home.pending_sets.exists() else None
    unseal = load_unseal_record(home.unseal_record.read_bytes())
    recovery = load_recovery_record(home.recovery_record.read_bytes())
    return Layout(load_trust(home.trust.read_bytes()), unseal, recovery, pending, policy, roster)


def make_stand(layout: Layout, folder: Path, now: Callable[[], int]) -> Stand:
    """Holds a genesis for the rehearsal: same names, thresholds, policy and roster; other keys."""
    waiting = [record for record in _waiting(layout.pending) if record is not None]
    quorums: list[Quorum] = [layout.unseal, layout.recovery, *waiting]
    keys = {holder.name: throw_away_key() for quorum in quorums for holder in quorum.holders}
    file = CeremonyFile(
        service=ServiceTable(name=layout.trust.service, openpgp_user_id="Rehearsal <rehearsal@example.org>"),
        unseal=table_of(layout.unseal, keys), recovery=table_of(layout.recovery, keys),
        log=LogTable(origin=load_verifier_key(layout.trust.log_key).name), files=FilesTable(policy="", roster=""),
    )  # fmt: skip
    done = run_genesis(Plan(file, "", layout.policy, layout.roster), folder / "home", now=now, rehearsal=True)
    return Stand(Home(done.home), keys)


def table_of(quorum: Quorum, keys: Mapping[str, ThrowAwayKey]) -> QuorumTable:
    """The same people, groups and thresholds, with throw-away keys."""

    def rows(group: Group) -> tuple[HolderTable, ...]:
        return tuple(HolderTable(name=holder.name, key=keys[holder.name].recipient) for holder in group.holders)

    if not quorum.group_rules:
        return QuorumTable(threshold=quorum.threshold, holders=rows(quorum.groups[0]))
    groups = [GroupTable(name=group.name, threshold=group.threshold, holders=rows(group)) for group in quorum.groups]
    return QuorumTable(groups_needed=quorum.group_threshold, group=tuple(groups))


def enough_of(quorum: Quorum) -> list[str]:
    """Names of the first holders that are enough."""
    groups = quorum.groups[: quorum.group_threshold]
    return [holder.name for group in groups for holder in group.holders[: group.threshold]]


def _waiting(pending: PendingSets | None) -> tuple[Quorum | None, ...]:
    return (pending.unseal, pending.recovery) if pending is not None else ()
