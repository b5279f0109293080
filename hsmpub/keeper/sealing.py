"""When the keeper seals by itself: pure rules over what is so now. Who acts on them: hsmpub.keeper.closing.

| rule | what it says |
|---|---|
| `time-over` | the time of the unsealing's terms is over |
| `signatures-used-up` | the last signature of the terms has left |
| `idle` | nothing was signed for as long as the policy allows |
| `dead-man` | no holder was heard of for as long as the policy allows |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hsmpub.errors import Forbidden, NotFound
from hsmpub.keeper.opening import Opening
from hsmpub.model.terms import Terms, check_terms, say_period
from hsmpub.policy import Policy
from hsmpub.policy.model import Sealing

Rule = Literal["time-over", "signatures-used-up", "idle", "dead-man"]


class UnsealTooLong(Forbidden):
    advice = "Ask for a shorter time; the policy's [sealing] says the longest."


class TermsNameNoProject(NotFound):
    advice = "Name projects as the policy in force has them."


@dataclass(frozen=True)
class Due:
    """It is time to seal. rule: for the log; reason: a sentence."""

    rule: Rule
    reason: str


def due(opening: Opening, rules: Sealing, *, now: int, present_at: int) -> Due | None:
    """Why an unsealing ends now, or None. now, present_at (a holder was last heard of): seconds since 1970."""
    over = opening.over
    if over == "time-over":
        return Due(over, "the time that its holders gave it is over")
    if over == "signatures-used-up":
        return Due(over, "the signatures that its holders allowed are made")
    if rules.longest is not None and opening.age >= rules.longest:
        return Due("time-over", f"the policy has an unsealing last {say_period(rules.longest)} at most")
    if rules.idle is not None and opening.quiet >= rules.idle and not opening.is_busy:
        return Due("idle", f"nothing was signed for {say_period(rules.idle)}")
    if rules.dead_man is not None and now - present_at >= rules.dead_man:
        return Due("dead-man", f"no holder was heard of for {say_period(rules.dead_man)}")
    return None


def allowed_terms(terms: Terms, policy: Policy) -> Terms:
    """The terms, no longer than the policy allows.

    Raises:
        TermsMalformed, UnsealTooLong, TermsNameNoProject.
    """
    check_terms(terms)
    unknown = [name for name in terms.projects or () if name not in policy.projects]
    if unknown:
        raise TermsNameNoProject(f"The policy has no project {unknown[0]!r}.")
    longest = policy.sealing.longest
    if longest is None:
        return terms
    if terms.seconds is None:
        return Terms(longest, terms.signatures, terms.projects)
    if terms.seconds > longest:
        raise UnsealTooLong(f"The policy has an unsealing last {say_period(longest)} at most.")
    return terms
