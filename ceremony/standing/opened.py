"""A home opened for a ceremony: alone, its log verified against the held root, its state folded from it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ceremony.standing.journal import Journal, load_journal
from hsmpub.config import HomeMissing, load_config
from hsmpub.errors import Broken, Conflict, Forbidden
from hsmpub.home import Home
from hsmpub.hsm.config import HsmConfig
from hsmpub.hsm.configured import hsm_of
from hsmpub.model import entry as e
from hsmpub.model.fold import ServiceState
from hsmpub.model.trust import Trust, load_trust
from hsmpub.shares.pending import PendingSets, load_pending
from hsmpub.shares.record import RecoveryRecord, UnsealRecord
from hsmpub.shares.record_file import load_recovery_record, load_unseal_record
from hsmpub.tlog.log import Log
from hsmpub.tlog.rules import LogInUse


class NotTheKeepersUser(Forbidden):
    advice = "Run it as the user who owns the home's folder keeper/, or as root and hand the home over again."


class KeeperRunning(Conflict):
    advice = "Stop it first: a ceremony holds the log alone."


class CeremonyUnderWay(Conflict):
    advice = "Wait for it: two ceremonies are never held at once."


class CeremonyHalfDone(Conflict):
    advice = "Run 'hsmpub-ceremony resume': it goes on, or leaves everything as it was, and says which."


class NothingToResume(Conflict):
    advice = "Nothing is to be done: the service can be started."


class HomeContradictsItself(Broken):
    advice = "Files of the home are of another service or another day: restore from a backup."


@dataclass(frozen=True)
class OpenHome:
    """state: what the whole log says; journal: of a ceremony that did not end."""

    home: Home
    hsm: HsmConfig
    trust: Trust
    log: Log
    state: ServiceState
    journal: Journal | None

    def unseal_record(self) -> UnsealRecord:
        """Raises RecordMalformed."""
        return load_unseal_record(self.home.unseal_record.read_bytes())

    def recovery_record(self) -> RecoveryRecord:
        """Raises RecordMalformed."""
        return load_recovery_record(self.home.recovery_record.read_bytes())

    def pending_sets(self) -> PendingSets | None:
        """New sets of shares that wait for their holders. Raises RecordMalformed."""
        path = self.home.pending_sets
        return load_pending(path.read_bytes()) if path.exists() else None


@contextmanager
def open_home(home: Home, *, resuming: bool = False) -> Iterator[OpenHome]:
    """Opens a home; nobody else can, until the end.

    Raises:
        HomeMissing, ConfigMalformed, NotTheKeepersUser.
        KeeperRunning, CeremonyUnderWay: somebody else holds the log.
        CeremonyHalfDone: an earlier ceremony was killed. NothingToResume: if `resuming`, and none was.
        HomeContradictsItself, LogContradictsItself and the rules of hsmpub.tlog: it is not what was acknowledged.
    """
    config = load_config(home)
    if not home.keeper.is_dir():
        raise HomeMissing(f"There is no keeper in {home.root}.")
    if os.geteuid() not in (home.keeper.stat().st_uid, 0):
        raise NotTheKeepersUser(f"The folder {home.keeper} belongs to another user.")
    trust = load_trust(home.trust.read_bytes())
    try:
        log = Log.open(home.log, home.log_head, log_key=trust.log_key)
    except LogInUse:
        if home.ceremony_journal.exists():
            raise CeremonyUnderWay("Another ceremony is being held in this home.") from None
        raise KeeperRunning("The keeper of this home is running.") from None
    try:
        journal = load_journal(home.ceremony_journal)
        if journal is not None and not resuming:
            raise CeremonyHalfDone(f"The ceremony {journal.name} was interrupted in this home.")
        if journal is None and resuming:
            raise NothingToResume("No ceremony was interrupted in this home.")
        opened = OpenHome(home, hsm_of(home, config), trust, log, _fold(log), journal)
        _check(opened)
        yield opened
    finally:
        log.close()


def _fold(log: Log) -> ServiceState:
    state = ServiceState()
    for index, data in log.iterate():
        state.apply(index, e.load_entry(data))
    return state


def _check(opened: OpenHome) -> None:
    genesis, trust = opened.state.genesis, opened.trust
    if genesis is None or opened.state.policy is None or opened.state.roster is None:
        raise HomeContradictsItself("The log does not begin with a genesis, a policy and a roster.")
    if (genesis.service, genesis.log_key, genesis.keeper_key) != (trust.service, trust.log_key, trust.keeper_key):
        raise HomeContradictsItself("The log is not the one of trust.json.")
    if opened.journal is not None:
        return  # records and log may be a step apart until it is resumed
    if opened.unseal_record().epoch != opened.state.epoch:
        raise HomeContradictsItself("Unseal record and log are of different epochs.")
