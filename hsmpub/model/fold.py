"""The state of the service as a fold over its log: nothing else is the truth.

`ServiceState.apply` takes the entries in their order. It holds what is needed to decide, not history; the
exact bytes of a statement are read again from the log, against its root, before anything is done with them.

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

from hsmpub.errors import Broken
from hsmpub.model import entry as e
from hsmpub.model.authorities import Authorities
from hsmpub.model.holder_act import Permission, load_permission, permission_id
from hsmpub.model.keys import Keys, KeysOutOfTurn
from hsmpub.model.quorums import QuorumHistory
from hsmpub.model.statement import Statement, load_statement
from hsmpub.model.terms import Terms
from hsmpub.model.tuf_versions import TufVersions

State = Literal["pending", "signed", "published", "done", "declined", "expired", "failed"]
#: Token ids are remembered this long (seconds) past their expiry: more than the leeway with which one is checked.
REMEMBER_SECONDS = 900
OPEN: frozenset[State] = frozenset({"pending", "signed"})
ItemState = Literal["waiting", "attempting", "accepted", "already-same", "conflict", "failed", "unknown"]
FINISHED: frozenset[ItemState] = frozenset({"accepted", "already-same"})


class LogContradictsItself(Broken):
    advice = "The log holds an entry that cannot follow the ones before it: it was altered. Restore from a backup."


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


@dataclass
class Opened:
    """The last unsealing, until something seals. signatures: that left since; last_signature_at: 0 before the first."""

    index: int
    at: int
    terms: Terms
    holders: tuple[str, ...]
    signatures: int = 0
    last_signature_at: int = 0


@dataclass
class ServiceState:
    """What the log says is so."""

    size: int = 0
    at: int = 0
    genesis: e.Genesis | None = None
    epoch: int = 0
    keys: Keys = field(default_factory=Keys)
    key_entries: list[int] = field(default_factory=list)
    recovery_epoch: int = 0
    last_epoch: int = 0  # the highest that a set of shares was made for, in force or not
    last_recovery_epoch: int = 0
    ceremonies: int = 0
    broken_glass: int = 0  # number of the ceremony that adopted policy or roster without approvals; 0: approvals did
    policy: e.PolicyAdopted | None = None
    roster: e.RosterAdopted | None = None
    policies: list[int] = field(default_factory=list)
    rosters: list[int] = field(default_factory=list)
    issuer_keys: dict[str, e.IssuerKeys] = field(default_factory=dict)
    used_tokens: dict[str, int] = field(default_factory=dict)
    used_nonces: set[str] = field(default_factory=set)
    session_entries: dict[str, int] = field(default_factory=dict)
    requests: dict[str, Request] = field(default_factory=dict)
    releases: dict[tuple[str, str], str] = field(default_factory=dict)
    credentials: dict[str, e.CredentialSealed] = field(default_factory=dict)
    deliveries: dict[str, e.Delivered] = field(default_factory=dict)
    routine: int = 0
    authorities: Authorities = field(default_factory=Authorities)
    #: key → the last time that a timestamp of it says, in microseconds since 1970
    stamped_at: dict[str, int] = field(default_factory=dict)
    #: as the log has it; a keeper that was started anew is sealed all the same
    opened: Opened | None = None
    #: the unsealing that ended last, or that another one followed
    ended: Opened | None = None
    #: permissions to upgrade that were not used, by their id
    permissions: dict[str, Permission] = field(default_factory=dict)
    #: index of the entry of each
    permitted_at: dict[str, int] = field(default_factory=dict)
    #: ids of all that were given in this unsealing: their signatures stand in the log, for everybody to send again
    permitted: set[str] = field(default_factory=set)
    #: when a holder was last heard of
    present_at: int = 0
    quorums: QuorumHistory = field(default_factory=QuorumHistory)
    tuf: TufVersions = field(default_factory=TufVersions)

    def apply(self, index: int, entry: e.Entry) -> None:
        """Takes the next fact.

        Raises:
            LogContradictsItself: this fact cannot follow the ones before it.
        """
        # Routine signatures and timestamps are appended side by side, and may be applied out of order: no matter, they
        # only add to what was counted, stamped and issued.
        self.size = max(self.size, index + 1)
        self.at = max(self.at, entry.at)
        self.quorums.apply(entry)
        match entry:
            case e.Genesis():
                self._require(index == 0 and self.genesis is None, index, "a second genesis")
                self.genesis, self.epoch, self.keys = entry, entry.epoch, Keys.of_genesis(entry.keys)
                self.recovery_epoch = self.last_epoch = self.last_recovery_epoch = entry.epoch
            case e.KeysChanged():
                self._change_keys(index, entry)
            case e.PolicyAdopted():
                self.policy = entry
                self.policies.append(index)
                self.broken_glass = 0 if entry.request else self.broken_glass
                self._finish(entry.request, index)
            case e.RosterAdopted():
                self.roster = entry
                self.rosters.append(index)
                self.broken_glass = 0 if entry.request else self.broken_glass
                self._finish(entry.request, index)
            case e.CredentialSealed():
                self.credentials[entry.name] = entry
                self._finish(entry.request, index)
            case e.Delivered():
                self.deliveries[entry.request] = entry
                self._finish(entry.request, index)
            case e.IssuerKeys():
                self.issuer_keys[entry.issuer] = entry
            case e.SessionOpened():
                # One that was forgotten since may come again: some issuers count their ids anew.
                known_until = self.used_tokens.get(entry.token_id, -REMEMBER_SECONDS) + REMEMBER_SECONDS
                self._require(known_until < entry.at, index, "a token used twice")
                self.used_tokens[entry.token_id] = entry.token_expires_at
                self.session_entries[entry.session] = index
            case e.RoutineSigned():
                self.routine += 1
                self.authorities.apply(entry.at, entry.said)
                if '"tuf":' in entry.statement:  # nearly none has it, and there are many
                    self.tuf.take(load_statement(entry.statement.encode()))
                self._count(index, entry.at, len(entry.outputs))
            case e.Timestamped():
                self._stamped(index, entry)
            case e.Restored():
                self._close()
                self.epoch = entry.epoch
                self.last_epoch = max(self.last_epoch, entry.epoch)
            case e.CeremonyHeld():
                self._require(entry.number == self.ceremonies + 1, index, "a ceremony out of turn")
                self._close()
                self.ceremonies = entry.number
                if entry.ceremony == "break-glass":
                    self.broken_glass = entry.number
                self.epoch = entry.epoch or self.epoch
                self.recovery_epoch = entry.recovery_epoch or self.recovery_epoch
                self.last_epoch = max(self.last_epoch, entry.epoch, entry.pending_epoch)
                self.last_recovery_epoch = max(
                    self.last_recovery_epoch, entry.recovery_epoch, entry.pending_recovery_epoch
                )
            case e.ShareHandedIn() | e.HolderPresent():
                self.present_at = max(self.present_at, entry.at)
            case e.UpgradePermitted():
                data = entry.permission.encode()
                self._require(permission_id(data) not in self.permitted, index, "a permission given twice")
                self.permissions[permission_id(data)] = load_permission(data)
                self.permitted_at[permission_id(data)] = index
                self.permitted.add(permission_id(data))
                self.present_at = max(self.present_at, entry.at)
            case e.Resumed():
                self._require(entry.permission in self.permissions, index, "a resumption without its permission")
                del self.permissions[entry.permission], self.permitted_at[entry.permission]
            case e.UnsealedBy():
                self._forget_permissions()
                self.opened = Opened(index, entry.at, entry.terms, entry.holders)
            case e.SealedBy():
                self._sealed(entry)
            case e.Drilled() | e.Lost():
                pass
            case _:
                self._apply_to_request(index, entry)

    def forget_expired_tokens(self, now: int) -> None:
        """Drops token ids that expired more than `REMEMBER_SECONDS` before now (seconds since 1970)."""
        self.used_tokens = {t: exp for t, exp in self.used_tokens.items() if exp + REMEMBER_SECONDS >= now}

    def open_requests(self) -> list[Request]:
        return [r for r in self.requests.values() if r.is_open]

    def _close(self) -> None:
        """Nothing is unsealed any more: sealed, or the keeper was stopped for a ceremony."""
        self.ended, self.opened = self.opened, None
        self._forget_permissions()

    def _sealed(self, entry: e.SealedBy) -> None:
        self._close()
        if entry.holder:
            self.present_at = max(self.present_at, entry.at)
        if entry.nonce:
            self.used_nonces.add(f"{entry.person or entry.holder} {entry.nonce}")

    def _forget_permissions(self) -> None:
        """Each is for the unsealing in which it was given, and names it."""
        self.permissions.clear()
        self.permitted_at.clear()
        self.permitted.clear()

    def _count(self, index: int, at: int, signatures: int) -> None:
        if self.opened is not None and index > self.opened.index:
            self.opened.signatures += signatures
            self.opened.last_signature_at = max(self.opened.last_signature_at, at)

    def _stamped(self, index: int, entry: e.Timestamped) -> None:
        """What anybody may ask for uses up no signatures of an unsealing, and keeps none open that is idle."""
        self.stamped_at[entry.key] = max(self.stamped_at.get(entry.key, 0), entry.gen_time)
        if entry.session:
            self._count(index, entry.at, 1)

    def _apply_to_request(self, index: int, entry: e.Entry) -> None:
        if isinstance(entry, e.Requested):
            self._requested(index, entry)
            return
        assert isinstance(entry, e.Approved | e.Declined | e.Expired | e.NotDelivered | e.Signed | e.PublishIntent
                          | e.PublishOutcome)  # fmt: skip
        request = self.requests.get(entry.request)
        self._require(request is not None and request.is_open, index, "a fact about no open request")
        assert request is not None
        request.entries.append(index)
        match entry:
            case e.Approved():
                self._require(entry.person not in request.approvals, index, "an approval given twice")
                request.approvals[entry.person] = entry
            case e.Declined():
                request.state, request.why = "declined", f"{entry.person} refused"
            case e.Expired():
                request.state, request.why = "expired", entry.reason or "not approved in time"
            case e.NotDelivered():
                request.state, request.why = "failed", f"nothing could be delivered: {entry.reason}"
            case e.Signed():
                request.signed[entry.artifact] = entry.outputs
                self.authorities.apply(entry.at, [output.said for output in entry.outputs])
                self._count(index, entry.at, len(entry.outputs))
                self.tuf.take(request.statement)
                self._settle(request)
            case e.PublishIntent():
                item = request.items.setdefault((entry.target, entry.item), Item(entry.sha256))
                self._require(entry.attempt == item.attempt + 1, index, "an attempt out of turn")
                item.attempt, item.state = entry.attempt, "attempting"
            case e.PublishOutcome():
                item = request.items.setdefault((entry.target, entry.item), Item(entry.observed))
                self._require(entry.attempt == item.attempt, index, "an outcome without its attempt")
                item.state, item.detail = entry.result, entry.detail
                self._settle(request)

    def _requested(self, index: int, entry: e.Requested) -> None:
        self._require(entry.request not in self.requests, index, "a request made twice")
        statement = load_statement(entry.statement.encode())
        predicate = statement.predicate
        request = Request(entry.request, index, statement, entries=[index])
        self.requests[entry.request] = request
        if predicate.kind == "release":
            self.releases[predicate.project, predicate.version] = entry.request
        if "person" in predicate.requester:
            self.used_nonces.add(f"{predicate.requester['person']} {predicate.requester['nonce']}")

    def _settle(self, request: Request) -> None:
        """A release with everything signed is done, or waits for its targets, or has failed at one of them."""
        if not request.is_signed_whole:
            return
        request.state = "signed"
        conflicts = [key for key, item in request.items.items() if item.state == "conflict"]
        if conflicts:
            request.state = "failed"
            request.why = f"{conflicts[0][0]} already holds a different {conflicts[0][1]}"
        elif not request.statement.predicate.publish:
            request.state = "done"
        elif all(self._is_published(request, target) for target in request.statement.predicate.publish):
            request.state = "published"

    @staticmethod
    def _is_published(request: Request, target: str) -> bool:
        """Targets of files hold every subject; a git target holds its one tag, signed under `git:<target>`."""
        tag = request.signed.get(f"git:{target}")
        names = [tag[0].name] if tag else [s.name for s in request.statement.subject]
        items = (request.items.get((target, name)) for name in names)
        return all(item is not None and item.state in FINISHED for item in items)

    def _change_keys(self, index: int, entry: e.KeysChanged) -> None:
        try:
            self.keys = self.keys.after(index, entry)
        except KeysOutOfTurn as error:
            raise LogContradictsItself(error.detail) from error
        self.key_entries.append(index)

    def _finish(self, request_id: str, index: int) -> None:
        if not request_id:
            return
        request = self.requests.get(request_id)
        self._require(request is not None and request.state == "pending", index, "an adoption without its request")
        assert request is not None
        request.state = "done"
        request.entries.append(index)

    @staticmethod
    def _require(holds: bool, index: int, what: str) -> None:
        if not holds:
            raise LogContradictsItself(f"Entry {index} of the log is {what}.")
