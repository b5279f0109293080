"""Step 5: every approval verifies over the exact statement, and together they satisfied it when it was carried out."""

from __future__ import annotations

from hsmpub.approval import check_approval, missing_approvals, standing_approvals
from hsmpub.errors import HsmpubError, Invalid
from hsmpub.model.statement import Statement
from hsmpub.receipt.facts import Facts, ReceiptContradicts
from hsmpub.receipt.policy import roster_at
from hsmpub.receipt.report import ApprovedBy


class ApprovalDoesNotCount(Invalid):
    """index: the entry of the approval."""

    advice = "The service counted an approval that does not count: ask whoever runs it, with this receipt at hand."

    def __init__(self, detail: str, index: int) -> None:
        super().__init__(detail)
        self.index = index


class ApprovalsMissing(Invalid):
    advice = "The service acted without the approvals that it needed: ask whoever runs it, with this receipt at hand."


class CarriedOutLate(Invalid):
    advice = "The service acted after the request had expired: ask whoever runs it, with this receipt at hand."


class RosterNamedOtherwise(Invalid):
    advice = "Who approved saw a difference from another roster: ask whoever runs the service, with this receipt."


def check_approvals(facts: Facts, statement: Statement) -> tuple[int | None, tuple[ApprovedBy, ...]]:
    """Checks each approval by the roster in force when it was given, and all by the roster in force at the end.

    Returns: index of the latter roster (None where no approval was needed), and the approvals that counted.

    Raises:
        ApprovalDoesNotCount: names the entry.
        ApprovalsMissing, CarriedOutLate, ReceiptContradicts, ReceiptIncomplete.
        RosterNamedOtherwise: a new roster took the place of another than its statement names.
    """
    done_index, done_at = facts.carried_out
    predicate = statement.predicate
    if not predicate.approvals:
        if facts.approvals:
            raise ReceiptContradicts("The receipt holds approvals of a request that needed none.")
        return None, ()
    if done_at >= predicate.expires_at:
        raise CarriedOutLate(f"The request expired {done_at - predicate.expires_at} seconds before it was carried out.")
    given = [_check_one(facts, statement, index) for index in facts.approvals if index < done_index]
    index, roster = roster_at(facts, done_index)
    if predicate.roster_sha256 not in ("", facts.rosters[index].sha256):
        raise RosterNamedOtherwise(f"The statement names another roster than that of entry {index}.")
    signatures = {a.person: a.signature.encode() for i, a in facts.approvals.items() if i < done_index}
    standing = standing_approvals(facts.statement_bytes, statement, signatures, roster)
    missing = missing_approvals(predicate.approvals, standing, roster, requester=predicate.requester)
    if missing:
        lacking = ", ".join(f"{count} of {group}" for group, count in missing.items())
        raise ApprovalsMissing(f"Approvals were missing when the request was carried out: {lacking}.")
    return index, tuple(approval for approval in given if approval.person in standing)


def _check_one(facts: Facts, statement: Statement, index: int) -> ApprovedBy:
    approval = facts.approvals[index]
    earlier = [a.person for i, a in facts.approvals.items() if i < index]
    _, roster = roster_at(facts, index)
    try:
        signature = check_approval(
            facts.statement_bytes,
            statement,
            approval.person,
            approval.signature.encode(),
            roster,
            now=approval.at,
            earlier=earlier,
        )
    except HsmpubError as e:
        raise ApprovalDoesNotCount(f"The approval of {approval.person} (entry {index}) fails: {e.detail}", index) from e
    groups = tuple(q.group for q in statement.predicate.approvals if q.group in roster.active_groups(approval.person))
    return ApprovedBy(approval.person, groups, approval.at, signature.fingerprint, signature.hardware)
