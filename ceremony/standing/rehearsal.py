"""A standing ceremony that leaves nothing: held on a throw-away home with the same holders, quorums, policy and roster.

Nobody brings a share, and the home itself is only read. Keys, PIN and the holders' own keys are made for the rehearsal.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ceremony.file import CeremonyFile, FilesTable, LogTable, ServiceTable
from ceremony.gather import ShareAtHand
from ceremony.genesis import run_genesis
from ceremony.plan import Plan
from ceremony.quorum_table import GroupTable, HolderTable, QuorumTable
from ceremony.standing.held import Told
from ceremony.standing.hold import Done, hold
from ceremony.standing.key_history import key_history
from ceremony.standing.kind import AnyKind, Papers
from ceremony.standing.quorum import AtHand
from hsmpub.home import Home
from hsmpub.model import entry as e
from hsmpub.model.trust import Trust, known_keys, load_trust
from hsmpub.shares.record import Group, Quorum, load_recovery_record, load_unseal_record
from hsmpub.shares.throwaway import ThrowAwayKey, throw_away_key
from hsmpub.tlog.note import load_verifier_key
from hsmpub.tlog.reader import LogReader


@dataclass(frozen=True)
class Layout:
    """What a rehearsal takes over from the real home; nothing of it is secret."""

    trust: Trust
    unseal: Quorum
    recovery: Quorum
    policy: str
    roster: str


@dataclass(frozen=True)
class Stand:
    """A throw-away home and the private keys of its holders, by name."""

    home: Home
    keys: Mapping[str, ThrowAwayKey]

    def at_hand(self) -> AtHand:
        """As many shares of either quorum as are needed."""
        unseal = load_unseal_record(self.home.unseal_record.read_bytes())
        recovery = load_recovery_record(self.home.recovery_record.read_bytes())
        return AtHand(
            self._shares(unseal, self.home.genesis / "shares"), self._shares(recovery, self.home.genesis / "recovery")
        )

    def _shares(self, quorum: Quorum, folder: Path) -> list[ShareAtHand]:
        groups = quorum.groups[: quorum.group_threshold]
        names = [holder.name for group in groups for holder in group.holders[: group.threshold]]
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
    return Layout(
        load_trust(home.trust.read_bytes()),
        load_unseal_record(home.unseal_record.read_bytes()),
        load_recovery_record(home.recovery_record.read_bytes()),
        policy,
        roster,
    )


def make_stand(layout: Layout, folder: Path, now: Callable[[], int]) -> Stand:
    """Holds a genesis for the rehearsal: same names, thresholds, policy and roster; other keys."""
    names = [holder.name for quorum in (layout.unseal, layout.recovery) for holder in quorum.holders]
    keys = {name: throw_away_key() for name in names}

    file = CeremonyFile(
        service=ServiceTable(name=layout.trust.service, openpgp_user_id="Rehearsal <rehearsal@example.org>"),
        unseal=_table(layout.unseal, keys), recovery=_table(layout.recovery, keys),
        log=LogTable(origin=load_verifier_key(layout.trust.log_key).name), files=FilesTable(policy="", roster=""),
    )  # fmt: skip
    done = run_genesis(Plan(file, "", layout.policy, layout.roster), folder / "home", now=now, rehearsal=True)
    return Stand(Home(done.home), keys)


def _table(quorum: Quorum, keys: Mapping[str, ThrowAwayKey]) -> QuorumTable:
    def rows(group: Group) -> tuple[HolderTable, ...]:
        return tuple(HolderTable(name=holder.name, key=keys[holder.name].recipient) for holder in group.holders)

    if not quorum.group_rules:
        return QuorumTable(threshold=quorum.threshold, holders=rows(quorum.groups[0]))
    groups = tuple(
        GroupTable(name=group.name, threshold=group.threshold, holders=rows(group)) for group in quorum.groups
    )
    return QuorumTable(groups_needed=quorum.group_threshold, group=groups)


def rehearse(
    kind: AnyKind, papers: Papers[Any], layout: Layout, *, now: Callable[[], int], told: Told = lambda step: None,
    protections: Mapping[str, str] | None = None,
) -> Done:  # fmt: skip
    """Runs a ceremony to its end on a throw-away home with keys of the same names and states. Its transcript says that
    it was a rehearsal.

    Raises as hold does.
    """
    with tempfile.TemporaryDirectory(prefix="hsmpub-rehearsal-") as folder:
        stand = make_stand(layout, Path(folder), now)
        for kept, file in key_history(known_keys(layout.trust), layout.trust.service):
            hold(kept, Papers("", file, {}), stand.home, stand.at_hand(), now=now, rehearsal=True)
        return hold(kind, papers, stand.home, stand.at_hand(), now=now, told=told, protections=protections,
                    rehearsal=True)  # fmt: skip
