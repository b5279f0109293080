"""Who co-signs: the roster of people, the check of one approval, and what is missing to a quorum."""

from hsmpub.approval.check import check_approval, check_personal_request, check_refusal, standing_approvals
from hsmpub.approval.quorum import missing_approvals
from hsmpub.approval.roster import Person, Roster, load_roster

__all__ = [
    "Person",
    "Roster",
    "check_approval",
    "check_personal_request",
    "check_refusal",
    "load_roster",
    "missing_approvals",
    "standing_approvals",
]
