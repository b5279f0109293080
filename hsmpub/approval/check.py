"""Does this approval count? For the bytes it signed, once, for one person, while enrolled, never for one's own.

Everything is looked up in the roster in force at the moment of the check, not in that of the request.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from hsmpub.approval.roster import Person, Roster
from hsmpub.errors import Broken, Conflict, Forbidden, Unauthenticated
from hsmpub.formats.ssh.sshsig_verify import SshSignature, verify_sshsig
from hsmpub.model.statement import (
    APPROVAL_NAMESPACE,
    REFUSAL_NAMESPACE,
    REQUEST_NAMESPACE,
    Statement,
    load_statement,
    pae,
)

#: Claims by which issuers name who set a job off: GitHub, GitLab.
ACTOR_CLAIMS = ("actor", "actor_id", "user_login", "user_id", "user_email")
#: Seconds that a person's clock may differ from the keeper's when they ask for something.
PERSONAL_WINDOW = 300


class PersonNotEnrolled(Unauthenticated):
    advice = "Check the name against the roster; who is not in it cannot approve."


class PersonRevoked(Forbidden):
    advice = "Somebody else has to approve."


class NotAnApprover(Forbidden):
    advice = "Somebody of the groups that the statement asks for has to approve."


class OwnRequest(Forbidden):
    advice = "Nobody approves their own request: ask somebody else."


class RequestExpired(Conflict):
    advice = "The requester has to submit it again."


class ApprovedBefore(Conflict):
    advice = "One person counts once; nothing more is needed from you."


class RequestNotFresh(Unauthenticated):
    advice = "Compare your clock with the service's and send a new request."


class StatementDiffers(Broken):
    advice = "Stop: the keeper was about to check other bytes than it means to carry out."


def check_approval(
    statement_bytes: bytes,
    statement: Statement,
    person: str,
    signature: bytes,
    roster: Roster,
    now: int,
    earlier: Collection[str],
) -> SshSignature:
    """Check one approval, before it is recorded.

    Args:
        statement_bytes: the exact bytes of the request, as logged.
        statement: the same, read.
        person: who says to approve.
        signature: armoured SSHSIG over the PAE of the bytes, namespace `hsmpub-approval`.
        roster: the one in force now.
        now: seconds since 1970.
        earlier: people who have approved this request.

    Raises:
        PersonNotEnrolled, PersonRevoked, OwnRequest, NotAnApprover, RequestExpired, ApprovedBefore, StatementDiffers.
        A rule of `hsmpub.formats.ssh.sshsig_verify`.
    """
    enrolled = _check_standing(statement_bytes, statement, person, roster)
    if is_requester_themself(statement.predicate.requester, person, enrolled):
        raise OwnRequest(f"{person} asked for this.")
    _check_asked(statement, person, enrolled)
    _check_open(statement, now)
    if person in earlier:
        raise ApprovedBefore(f"{person} has approved this request.")
    return _verify(pae(statement_bytes), APPROVAL_NAMESPACE, signature, enrolled)


def check_refusal(
    statement_bytes: bytes, statement: Statement, person: str, signature: bytes, roster: Roster, now: int
) -> SshSignature:
    """Check one refusal, which is final: namespace `hsmpub-refusal`; also by the person who asked, to withdraw.

    Raises as `check_approval`.
    """
    enrolled = _check_standing(statement_bytes, statement, person, roster)
    if not is_requester_themself(statement.predicate.requester, person, enrolled):
        _check_asked(statement, person, enrolled)
    _check_open(statement, now)
    return _verify(pae(statement_bytes), REFUSAL_NAMESPACE, signature, enrolled)


def check_personal_request(
    body: bytes, person: str, at: int, signature: bytes, roster: Roster, now: int
) -> SshSignature:
    """Check a person's own request: SSHSIG over the exact body, namespace `hsmpub-request`, made near `now`.

    Args:
        at: the time that the body states. Its nonce is for the keeper to remember for `PERSONAL_WINDOW` both ways.

    Raises:
        PersonNotEnrolled, PersonRevoked, RequestNotFresh, a rule of `hsmpub.formats.ssh.sshsig_verify`.
    """
    enrolled = check_enrolled(person, roster)
    if abs(now - at) > PERSONAL_WINDOW:
        raise RequestNotFresh(f"The request says it was made {abs(now - at)} seconds {'ago' if at < now else 'ahead'}.")
    return _verify(body, REQUEST_NAMESPACE, signature, enrolled)


def standing_approvals(
    statement_bytes: bytes, statement: Statement, approvals: Mapping[str, bytes], roster: Roster
) -> tuple[str, ...]:
    """Who of those that approved still counts now: to be asked again right before a request is carried out.

    Args:
        approvals: person → armoured signature, as recorded.

    Returns: their names, in order, without those who were revoked since, left the group, became known to be the
        requester, or whose key was taken from the roster. Whether the request expired is another question.
    """
    standing = []
    for person, signature in approvals.items():
        try:
            check_approval(statement_bytes, statement, person, signature, roster, statement.predicate.requested_at, ())
        except (Forbidden, Unauthenticated):
            continue
        standing.append(person)
    return tuple(standing)


def check_enrolled(person: str, roster: Roster) -> Person:
    """Raises PersonNotEnrolled, PersonRevoked."""
    enrolled = roster.persons.get(person)
    if enrolled is None:
        raise PersonNotEnrolled(f"The roster has no person {person[:80]!r}.")
    if enrolled.revoked:
        raise PersonRevoked(f"{person} was revoked.")
    return enrolled


def is_requester_themself(requester: Mapping[str, str], person: str, enrolled: Person) -> bool:
    """Whether the person asked, or set off the CI job that asked (`ci_actors = ["issuer:login"]`)."""
    if "person" in requester:
        return requester["person"] == person
    issuer = requester.get("issuer", "")
    actors = {f"{issuer}:{requester[claim]}".casefold() for claim in ACTOR_CLAIMS if claim in requester}
    return any(actor.casefold() in actors for actor in enrolled.ci_actors)


def _check_standing(statement_bytes: bytes, statement: Statement, person: str, roster: Roster) -> Person:
    if load_statement(statement_bytes) != statement:
        raise StatementDiffers("The statement and its bytes differ.")
    return check_enrolled(person, roster)


def _check_asked(statement: Statement, person: str, enrolled: Person) -> None:
    asked = {quorum.group for quorum in statement.predicate.approvals}
    if not asked & set(enrolled.groups):
        raise NotAnApprover(f"{person} is in none of the groups whose approval this takes.")


def _check_open(statement: Statement, now: int) -> None:
    if now >= statement.predicate.expires_at:
        raise RequestExpired(f"The request expired {now - statement.predicate.expires_at} seconds ago.")


def _verify(message: bytes, namespace: str, signature: bytes, person: Person) -> SshSignature:
    return verify_sshsig(signature, message, namespace, person.keys, touch_only=person.touch_only)
