"""Steps 3 and 4: who asked what, and that the policy in force grants exactly that."""

from __future__ import annotations

from pydantic import ValidationError

from hsmpub.approval import Roster, load_roster
from hsmpub.errors import Invalid
from hsmpub.identity.ci import CiIdentity
from hsmpub.model import entry as e
from hsmpub.model.attested import Build
from hsmpub.model.digest import sha256_hex
from hsmpub.model.predicate import Predicate, Profiles
from hsmpub.model.statement import Statement
from hsmpub.model.toml_lines import load_toml
from hsmpub.policy import Policy
from hsmpub.policy.attesting import check_images, check_predicate, decide_build
from hsmpub.policy.by_file import check_formats
from hsmpub.receipt.facts import Facts, ReceiptContradicts, ReceiptIncomplete, in_force


class PolicyDiffers(Invalid):
    advice = "The statement was made under another policy than the receipt shows; fetch the receipt again."


class PolicyUnreadable(Invalid):
    advice = "Verify with the version of hsmpub that the service runs."


class PolicyGrantsOtherwise(Invalid):
    advice = "The service did something that its policy does not say: ask whoever runs it, with this receipt at hand."


class RequesterDiffers(Invalid):
    advice = "The statement names another requester than the session that the log shows; fetch the receipt again."


def check_request(facts: Facts) -> Statement:
    """The statement, by the requester whose session the log shows.

    Raises:
        StatementMalformed, ReceiptContradicts, ReceiptIncomplete, RequesterDiffers.
    """
    statement, request = facts.statement, facts.request
    predicate = statement.predicate
    if predicate.request != request.request:
        raise ReceiptContradicts("The statement is of another request than its entry.")
    if isinstance(request, e.RoutineSigned) != (predicate.kind == "sign"):
        raise ReceiptContradicts(f"A request of kind {predicate.kind!r} is not logged as such an entry.")
    if isinstance(request, e.RoutineSigned) and request.session != predicate.requester.get("session"):
        raise RequesterDiffers("The entry names another session than its statement.")
    if (predicate.kind in ("release", "sign")) == ("person" in predicate.requester):
        raise RequesterDiffers(f"Requests of kind {predicate.kind!r} do not come from such a requester.")
    if "person" not in predicate.requester:
        session = _session(facts, predicate)
        if {**_who(session).as_requester(), "session": session.session} != predicate.requester:
            raise RequesterDiffers("The statement's requester is not the one of its session.")
    return statement


def _session(facts: Facts, predicate: Predicate) -> e.SessionOpened:
    wanted = predicate.requester.get("session", "")
    found = [s for i, s in facts.sessions.items() if s.session == wanted and i < facts.request_index]
    if not found:
        raise ReceiptIncomplete("The receipt lacks the session in which the request was made.")
    return found[-1]


def _who(session: e.SessionOpened) -> CiIdentity:
    return CiIdentity(session.issuer, session.subject, session.claims, session.token_id)


def check_policy_entry(facts: Facts, statement: Statement) -> tuple[int, Policy]:
    """The policy in force at the request, and its index: the very text that the statement names.

    Raises:
        ReceiptIncomplete, PolicyDiffers, PolicyUnreadable, TomlSyntax.
    """
    index = in_force(facts.policies, facts.request_index)
    adopted = facts.policies[index]
    digest = sha256_hex(adopted.text.encode())
    if digest != adopted.sha256 or digest != statement.predicate.policy_sha256:
        raise PolicyDiffers(f"The policy of entry {index} is not the one that the statement names.")
    # What adoption demanded of keys and groups is over; here the text counts as it stands.
    try:
        return index, Policy.model_validate(load_toml(adopted.text, file="policy").data)
    except ValidationError:
        raise PolicyUnreadable(f"The policy of entry {index} has a form that this version does not know.") from None


def roster_at(facts: Facts, before: int) -> tuple[int, Roster]:
    """The roster in force right before an entry, and its index. Raises ReceiptIncomplete, ReceiptContradicts."""
    index = in_force(facts.rosters, before)
    adopted = facts.rosters[index]
    if sha256_hex(adopted.text.encode()) != adopted.sha256:
        raise ReceiptContradicts(f"The roster of entry {index} is not the text that its digest names.")
    return index, load_roster(adopted.text)


def check_grant(facts: Facts, statement: Statement, policy: Policy) -> None:
    """Decides again, and compares with what the statement says.

    Raises:
        PolicyGrantsOtherwise, and the rules by which a policy refuses.
    """
    predicate = statement.predicate
    wanted = (predicate.sign, predicate.publish, predicate.approvals)
    match predicate.kind:
        case "release":
            names = [subject.name for subject in statement.subject]
            who = _who(_session(facts, predicate))
            grant = policy.decide_release(who, predicate.project, predicate.version, names)
            granted, expires = (grant.sign, grant.publish, grant.approvals), grant.expires
            if [subject.formats for subject in statement.subject] != [grant.files.get(name, ()) for name in names]:
                raise PolicyGrantsOtherwise("The statement has other formats for a file than the policy.")
            if [subject.publish for subject in statement.subject] != [grant.targets.get(name) for name in names]:
                raise PolicyGrantsOtherwise("The statement sends a file to other targets than the policy.")
        case "sign":
            session = _session(facts, predicate)
            for signing in predicate.sign:
                policy.decide_sign(_who(session), predicate.project, signing.key, signing.formats)
            _check_files(statement, policy)
            granted, expires = (predicate.sign, (), ()), predicate.expires_at - predicate.requested_at
        case _:
            rule = policy.decide_personal(predicate.kind, credential=predicate.credential)
            granted, expires = ((), (), rule.approvals), rule.expires
    profiles, build = policy.profiles(predicate.project, predicate.sign) if predicate.sign else Profiles(), None
    if predicate.kind in ("release", "sign"):
        build = _build(facts, statement, policy)
    asked = predicate.expires_at - predicate.requested_at
    said = (Profiles.of(predicate), predicate.build, wanted, asked)
    if said != (profiles, build, granted, expires):
        raise PolicyGrantsOtherwise(
            "The statement asks for other signatures, targets, approvals or time than the policy."
        )


def _check_files(statement: Statement, policy: Policy) -> None:
    """Each file of a routine request has a name that its formats are for. Raises FormatNotForFile."""
    patterns = policy.patterns(statement.predicate.project)
    for subject in statement.subject:
        formats = (name for signing in statement.sign(subject) for name in signing.formats)
        check_formats(patterns, formats, subject.name)


def _build(facts: Facts, statement: Statement, policy: Policy) -> Build | None:
    """From which build the files come, by the policy and the session's claims; images and predicates are those that the
    policy lists. Raises the rules of hsmpub.policy.attesting."""
    predicate = statement.predicate
    for subject in statement.subject:
        check_images(policy, predicate.project, statement.sign(subject), [subject.image])
    check_predicate(policy, predicate.project, predicate.sign, predicate.attest)
    return decide_build(policy, _who(_session(facts, predicate)), predicate.sign)
