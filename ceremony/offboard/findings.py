"""What touches a person: shares, approver keys, rules of the policy, credentials, requests. Nothing is changed."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from hsmpub.approval import Roster
from hsmpub.model.fold import ServiceState
from hsmpub.model.request_state import Request
from hsmpub.policy import Policy
from hsmpub.policy.model import Approvals
from hsmpub.shares.pending import PendingSets
from hsmpub.shares.record import Purpose, Quorum, RecoveryRecord, UnsealRecord


class ShareHeld(msgspec.Struct, frozen=True):
    """left: holders of the set without the person; enough_left: those who are left can still be a quorum;
    waiting: the set is not in force yet."""

    quorum: Purpose
    epoch: int
    holder: str
    group: str
    left: tuple[str, ...]
    enough_left: bool
    waiting: bool = False


class RuleTouched(msgspec.Struct, frozen=True):
    """A rule of the policy that asks for a group of the person. left: people of the group without them."""

    rule: str
    group: str
    count: int
    left: int

    @property
    def is_broken(self) -> bool:
        """Nobody could meet it any more."""
        return self.left < self.count


class RequestTouched(msgspec.Struct, frozen=True):
    """why: `asked by them`, `approved by them`, `waits for their group`."""

    request: str
    kind: str
    project: str
    why: str


class Findings(msgspec.Struct, frozen=True):
    """Everything that touches one person, at one size of the log.

    names: theirs, in roster and quorums. keys: SSH public keys by which they approve; actors: CI accounts whose jobs
    count as their own requests. credentials: sealed on their request, so that they have seen the plain text.
    requesters: projects whose CI identity names one of their accounts.
    """

    names: tuple[str, ...]
    log_size: int
    enrolled: bool
    groups: tuple[str, ...]
    keys: tuple[str, ...]
    actors: tuple[str, ...]
    shares: tuple[ShareHeld, ...]
    rules: tuple[RuleTouched, ...]
    credentials: tuple[str, ...]
    requests: tuple[RequestTouched, ...]
    requesters: tuple[str, ...]

    @property
    def is_nothing(self) -> bool:
        return not (self.enrolled or self.shares or self.credentials or self.requests)


def find(
    names: Iterable[str], state: ServiceState, roster: Roster, policy: Policy, unseal: UnsealRecord,
    recovery: RecoveryRecord, pending: PendingSets | None,
) -> Findings:  # fmt: skip
    """What touches the person of these names. A holder whose SSH key is one of their approver keys is them, too."""
    own = set(names)
    enrolled = {name: person for name, person in roster.persons.items() if name in own}
    keys = {key for person in enrolled.values() for key in person.keys}
    sets: list[tuple[Purpose, Quorum, bool]] = [("unseal", unseal, False), ("recovery", recovery, False)]
    sets += [(purpose, record, True) for purpose, record in (pending.records() if pending else {}).items()]
    own |= {h.name for _, record, _ in sets for h in record.holders if _blob(h.recipient) in set(map(_blob, keys))}
    groups = {group for person in enrolled.values() if not person.revoked for group in person.groups}
    actors = {actor for person in enrolled.values() for actor in person.ci_actors}
    return Findings(
        names=tuple(sorted(own)),
        log_size=state.size,
        enrolled=any(not person.revoked for person in enrolled.values()),
        groups=tuple(sorted(groups)),
        keys=tuple(sorted(keys)),
        actors=tuple(sorted(actors)),
        shares=tuple(share for found in sets for share in _shares(own, *found)),
        rules=tuple(_rules(policy, roster, own, groups)),
        credentials=tuple(sorted(_credentials(state, own))),
        requests=tuple(_requests(state, own, groups)),
        requesters=tuple(sorted(_requesters(policy, actors))),
    )


def _blob(key: str) -> str:
    """Type and key of an OpenSSH line, without its comment; the recipient itself for age."""
    return " ".join(key.split()[:2])


def _shares(own: set[str], purpose: Purpose, record: Quorum, waiting: bool) -> Iterable[ShareHeld]:
    left = tuple(holder.name for holder in record.holders if holder.name not in own)
    for holder in record.holders:
        if holder.name in own:
            enough = record.is_complete(left)
            yield ShareHeld(purpose, record.epoch, holder.name, holder.group, left, enough, waiting)


def _rules(policy: Policy, roster: Roster, own: set[str], groups: set[str]) -> Iterable[RuleTouched]:
    asked: list[tuple[str, tuple[Approvals, ...]]] = [
        (f"project.{name}", project.approvals) for name, project in policy.projects.items()
    ]
    for name in type(policy.administration).model_fields:
        rule = getattr(policy.administration, name)
        if rule is not None:
            asked.append((f"administration.{name}", rule.approvals))
    for rule_name, approvals in asked:
        for approval in approvals:
            if approval.group in groups:
                left = len(roster.groups.get(approval.group, frozenset()) - own)
                yield RuleTouched(rule_name, approval.group, approval.count, left)


def _credentials(state: ServiceState, own: set[str]) -> Iterable[str]:
    for name, sealed in state.credentials.items():
        request = state.requests.get(sealed.request)
        if request is not None and request.statement.predicate.requester.get("person") in own:
            yield name


def _requests(state: ServiceState, own: set[str], groups: set[str]) -> Iterable[RequestTouched]:
    for request in state.open_requests():
        why = _why(request, own, groups)
        if why:
            predicate = request.statement.predicate
            yield RequestTouched(request.id, predicate.kind, predicate.project, why)


def _why(request: Request, own: set[str], groups: set[str]) -> str:
    predicate = request.statement.predicate
    if predicate.requester.get("person") in own:
        return "asked by them"
    if own & set(request.approvals):
        return "approved by them"
    if request.state == "pending" and groups & {quorum.group for quorum in predicate.approvals}:
        return "waits for their group"
    return ""


def _requesters(policy: Policy, actors: set[str]) -> Iterable[str]:
    logins = {actor.partition(":")[2].casefold() for actor in actors}
    for name, project in policy.projects.items():
        if any(value.casefold() in logins for asker in project.requesters for value in asker.claims.values()):
            yield name
