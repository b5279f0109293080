"""The state of the service as a fold over its log: nothing else is the truth.

`ServiceState.apply` takes the entries in their order. It holds what is needed to decide, not history; the
exact bytes of a statement are read again from the log, against its root, before anything is done with them. The way of
a request is in hsmpub.model.request_state.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hsmpub.model import entry as e
from hsmpub.model.authorities import Authorities
from hsmpub.model.ceremonies import Ceremonies
from hsmpub.model.contradiction import LogContradictsItself, require
from hsmpub.model.keys import Keys, KeysOutOfTurn
from hsmpub.model.quorums import QuorumHistory
from hsmpub.model.request_state import Fact, Request
from hsmpub.model.statement import load_statement
from hsmpub.model.tuf_versions import TufVersions
from hsmpub.model.unsealings import Unsealings

#: Token ids are remembered this long (seconds) past their expiry: more than the leeway with which one is checked.
REMEMBER_SECONDS = 900


@dataclass
class ServiceState(Ceremonies, Unsealings):
    """What the log says is so."""

    size: int = 0
    at: int = 0
    genesis: e.Genesis | None = None
    keys: Keys = field(default_factory=Keys)
    key_entries: list[int] = field(default_factory=list)
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
        if isinstance(entry, e.RoutineSigned):  # nearly all are
            self._signed(index, entry)
            return
        self.quorums.apply(entry)
        match entry:
            case e.Genesis():
                require(index == 0 and self.genesis is None, index, "a second genesis")
                self.genesis, self.keys = entry, Keys.of_genesis(entry.keys)
                self._begin(entry)
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
                require(known_until < entry.at, index, "a token used twice")
                self.used_tokens[entry.token_id] = entry.token_expires_at
                self.session_entries[entry.session] = index
            case e.Timestamped():
                self._stamped(index, entry)
            case e.Restored():
                self._close()
                self._restored(entry)
            case e.CeremonyHeld():
                self._held(index, entry)
                self._close()
            case e.ShareHandedIn() | e.HolderPresent():
                self.present_at = max(self.present_at, entry.at)
            case e.UpgradePermitted():
                self._permit(index, entry)
            case e.Resumed():
                self._resume(index, entry)
            case e.UnsealedBy():
                self._open(index, entry)
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

    def _signed(self, index: int, entry: e.RoutineSigned) -> None:
        self.routine += 1
        if entry.said:
            self.authorities.apply(entry.at, entry.said)
        if '"tuf":' in entry.statement:  # nearly none has it
            self.tuf.take(load_statement(entry.statement.encode()))
        self._count(index, entry.at, len(entry.outputs))

    def _sealed(self, entry: e.SealedBy) -> None:
        self._close()
        if entry.holder:
            self.present_at = max(self.present_at, entry.at)
        if entry.nonce:
            self.used_nonces.add(f"{entry.person or entry.holder} {entry.nonce}")

    def _stamped(self, index: int, entry: e.Timestamped) -> None:
        """What anybody may ask for uses up no signatures of an unsealing, and keeps none open that is idle."""
        self.stamped_at[entry.key] = max(self.stamped_at.get(entry.key, 0), entry.gen_time)
        if entry.session:
            self._count(index, entry.at, 1)

    def _apply_to_request(self, index: int, entry: e.Entry) -> None:
        if isinstance(entry, e.Requested):
            self._requested(index, entry)
            return
        assert isinstance(entry, Fact)
        request = self.requests.get(entry.request)
        if request is None or not request.is_open:
            raise LogContradictsItself(f"Entry {index} of the log is a fact about no open request.")
        request.apply(index, entry)
        if isinstance(entry, e.Signed):
            self.authorities.apply(entry.at, [output.said for output in entry.outputs])
            self._count(index, entry.at, len(entry.outputs))
            self.tuf.take(request.statement)

    def _requested(self, index: int, entry: e.Requested) -> None:
        require(entry.request not in self.requests, index, "a request made twice")
        statement = load_statement(entry.statement.encode())
        predicate = statement.predicate
        request = Request(entry.request, index, statement, entries=[index])
        self.requests[entry.request] = request
        if predicate.kind == "release":
            self.releases[predicate.project, predicate.version] = entry.request
        if "person" in predicate.requester:
            self.used_nonces.add(f"{predicate.requester['person']} {predicate.requester['nonce']}")

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
        require(request is not None and request.state == "pending", index, "an adoption without its request")
        assert request is not None
        request.state = "done"
        request.entries.append(index)
