"""Policies and rosters as the log has them: which text an entry put into force, and what shows that. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hsmpub.errors import Broken
from hsmpub.model import entry as e
from hsmpub.model.digest import sha256_hex
from hsmpub.model.predicate import Predicate
from hsmpub.model.statement import load_statement
from hsmpub.model.trust import Trust
from hsmpub.receipt.inclusion import check_receipt_checkpoint, check_receipt_entries
from hsmpub.receipt.model import load_receipt
from hsmpub.tlog.note import load_verifier_key

Kind = Literal["policy", "roster"]
_ENTRY: dict[Kind, type[e.PolicyAdopted | e.RosterAdopted]] = {"policy": e.PolicyAdopted, "roster": e.RosterAdopted}


#: Seconds by which the times of neighbouring entries may be out of order.
_SETTLED = 60


class AdoptionNotShown(Broken):
    advice = "Try again; if it stays, the service hides what is in force: tell whoever runs it, and approve nothing."


@dataclass(frozen=True)
class Adopted:
    """A text in force from entry `index` on. at: seconds since 1970; request: empty where a ceremony adopted it."""

    kind: Kind
    index: int
    at: int
    text: str
    request: str


def adoption(kind: Kind, index: int, entry: e.Entry) -> Adopted | None:
    """What an entry of the log put into force, if it did. Raises AdoptionNotShown: text and digest differ."""
    if not isinstance(entry, _ENTRY[kind]):
        return None
    assert isinstance(entry, e.PolicyAdopted | e.RosterAdopted)
    if sha256_hex(entry.text.encode()) != entry.sha256:
        raise AdoptionNotShown(f"Entry {index} names another digest than that of its {kind}.")
    return Adopted(kind, index, entry.at, entry.text, entry.request)


@dataclass(frozen=True)
class Naming:
    """A logged request that names the policy in force then. request: empty where the signing was routine."""

    index: int
    request: str
    sha256: str


class Search:
    """Looks for what is in force through entries that are handed in from the newest to the oldest, with none left out.

    A request is logged while nobody adopts anything, so the policy that it names is in force at its entry. A routine
    signature may be logged behind an adoption that came while it was made: it counts once the entries before it are
    older than its decision. A roster is named by no other entry than its own.
    """

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._routine: tuple[int, e.RoutineSigned] | None = None

    def take(self, index: int, entry: e.Entry) -> Adopted | Naming | None:
        """What is in force, where it can be told from here on. Raises AdoptionNotShown."""
        found = adoption(self._kind, index, entry)
        if found is not None or self._kind == "roster":
            return found
        if isinstance(entry, e.Requested):
            return Naming(index, entry.request, _policy_of(entry))
        if isinstance(entry, e.RoutineSigned) and self._routine is None:
            self._routine = index, entry
        if self._routine is not None and entry.at < self._routine[1].at - _SETTLED:
            return Naming(self._routine[0], "", _policy_of(self._routine[1]))
        return None


def _policy_of(entry: e.Requested | e.RoutineSigned) -> str:
    return load_statement(entry.statement.encode()).predicate.policy_sha256


def digest_replaced(predicate: Predicate) -> str:
    """Digest of the text in whose place the one of a statement would come, hex; empty where it names none."""
    return {"policy": predicate.policy_sha256, "roster": predicate.roster_sha256}.get(predicate.kind, "")


def adopted_in(receipt: bytes, trust: Trust, kind: Kind, sha256: str) -> Adopted:
    """The adoption of a text with this digest, out of a request's receipt, under a checkpoint of the pinned log key.

    Raises:
        AdoptionNotShown: it is not among the entries; and what verifying a receipt's entries raises.
    """
    loaded = load_receipt(receipt)
    checkpoint = check_receipt_checkpoint(loaded, load_verifier_key(trust.log_key))
    for index, entry in reversed(check_receipt_entries(loaded, checkpoint)):
        found = adoption(kind, index, entry)
        if found is not None and sha256_hex(found.text.encode()) == sha256:
            return found
    raise AdoptionNotShown(f"The service does not show the {kind} with the digest {sha256[:16]}… in its log.")
