"""The entries of one request, each in its place; what is incomplete, and what contradicts itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hsmpub.errors import Invalid
from hsmpub.model import entry as e
from hsmpub.model.keys import Keys, KeysOutOfTurn
from hsmpub.model.statement import Statement, load_statement


class ReceiptIncomplete(Invalid):
    advice = "Fetch the receipt again once the request is carried out."


class ReceiptContradicts(Invalid):
    advice = "The log's entries do not fit each other: ask whoever runs the service, with this receipt at hand."


Adoption = e.PolicyAdopted | e.RosterAdopted | e.CredentialSealed | e.Delivered


@dataclass
class Facts:
    """index → entry, of each kind. `asked` is the request itself, routine or not.

    keys: all keys after each entry about them, by its index; 0: those of the genesis.
    """

    genesis: e.Genesis
    keys: dict[int, Keys]
    policies: dict[int, e.PolicyAdopted] = field(default_factory=dict)
    rosters: dict[int, e.RosterAdopted] = field(default_factory=dict)
    sessions: dict[int, e.SessionOpened] = field(default_factory=dict)
    asked: dict[int, e.Requested | e.RoutineSigned] = field(default_factory=dict)
    approvals: dict[int, e.Approved] = field(default_factory=dict)
    signed: dict[int, e.Signed] = field(default_factory=dict)
    sealed: dict[int, e.CredentialSealed] = field(default_factory=dict)
    delivered: dict[int, e.Delivered] = field(default_factory=dict)
    ended: dict[int, e.Declined | e.Expired | e.NotDelivered] = field(default_factory=dict)
    intents: dict[int, e.PublishIntent] = field(default_factory=dict)
    outcomes: dict[int, e.PublishOutcome] = field(default_factory=dict)

    @property
    def request(self) -> e.Requested | e.RoutineSigned:
        return next(iter(self.asked.values()))

    @property
    def request_index(self) -> int:
        return next(iter(self.asked))

    def keys_at(self, index: int) -> Keys:
        """The keys as they were when entry `index` was written, certificates of that day included."""
        return self.keys[max(at for at in self.keys if at < index)]

    @property
    def statement(self) -> Statement:
        return load_statement(self.statement_bytes)

    @property
    def statement_bytes(self) -> bytes:
        return self.request.statement.encode()

    @property
    def carried_out(self) -> tuple[int, int]:
        """Index and time of the entry that carried the request out. Raises ReceiptIncomplete, ReceiptContradicts."""
        if isinstance(self.request, e.RoutineSigned):
            return self.request_index, self.request.at
        adopted: dict[int, Adoption] = {**self.policies, **self.rosters, **self.sealed, **self.delivered}
        done = {
            i: entry.at
            for i, entry in [*self.signed.items(), *adopted.items()]
            if entry.request == self.request.request
        }
        if self.ended:
            ended = next(iter(self.ended.values()))
            how = "refused" if isinstance(ended, e.Declined) else "ended without being carried out"
            told = f"The request {self.request.request} was {how}."
            if done:
                raise ReceiptContradicts(told)
            raise ReceiptIncomplete(told, next_step="It never will be, so there is no receipt: ask for it anew.")
        if not done:
            told = f"The request {self.request.request} was not carried out yet."
            raise ReceiptIncomplete(told, next_step=f"Wait for it: hsmpub release wait {self.request.request}")
        return min(done.items())


def gather_facts(entries: Sequence[tuple[int, e.Entry]]) -> Facts:
    """Sorts the entries of a receipt.

    Raises:
        ReceiptIncomplete: no genesis, or no request.
        ReceiptContradicts: entries of two requests, or in an order that no log of this service has.
    """
    index, first = entries[0]
    if index != 0 or not isinstance(first, e.Genesis):
        raise ReceiptIncomplete("The receipt does not begin with the genesis of its log.")
    facts = Facts(first, {0: Keys.of_genesis(first.keys)})
    for index, entry in entries[1:]:
        _place(facts, index, entry)
    if len(facts.asked) != 1:
        raise ReceiptIncomplete(f"The receipt holds {len(facts.asked)} requests instead of one.")
    own = facts.request.request
    for index, entry in entries:
        about = getattr(entry, "request", None)
        if about is None:
            continue
        if about != own and not isinstance(entry, e.PolicyAdopted | e.RosterAdopted):
            raise ReceiptContradicts(f"Entry {index} is about another request.")
        if about == own and index < facts.request_index:
            raise ReceiptContradicts(f"Entry {index} about the request comes before the request.")
    return facts


def _place(facts: Facts, index: int, entry: e.Entry) -> None:
    match entry:
        case e.KeysChanged():
            facts.keys[index] = _changed(facts.keys_at(index), index, entry)
        case e.PolicyAdopted():
            facts.policies[index] = entry
        case e.RosterAdopted():
            facts.rosters[index] = entry
        case e.SessionOpened():
            facts.sessions[index] = entry
        case e.Requested() | e.RoutineSigned():
            facts.asked[index] = entry
        case e.Approved():
            facts.approvals[index] = entry
        case e.Signed():
            facts.signed[index] = entry
        case e.CredentialSealed():
            facts.sealed[index] = entry
        case e.Delivered():
            facts.delivered[index] = entry
        case e.Declined() | e.Expired() | e.NotDelivered():
            facts.ended[index] = entry
        case e.PublishIntent():
            facts.intents[index] = entry
        case e.PublishOutcome():
            facts.outcomes[index] = entry
        case e.Genesis():
            raise ReceiptContradicts(f"Entry {index} is a second genesis.")
        case _:
            pass  # nothing that a request hangs on


def _changed(keys: Keys, index: int, entry: e.KeysChanged) -> Keys:
    try:
        return keys.after(index, entry)
    except KeysOutOfTurn as error:
        raise ReceiptIncomplete(error.detail, next_step="Fetch the receipt again.") from None


def in_force(adopted: Mapping[int, object], before: int) -> int:
    """Index of the newest adoption before an entry. Raises ReceiptIncomplete."""
    index = max((i for i in adopted if i < before), default=None)
    if index is None:
        raise ReceiptIncomplete(f"The receipt lacks the policy or roster that was in force at entry {before}.")
    return index
