"""Whether an identity may ask for a project, and if not, which claim is in the way."""

from __future__ import annotations

from hsmpub.errors import Forbidden
from hsmpub.identity.ci import CiIdentity
from hsmpub.model.glob import is_match
from hsmpub.policy.project import Project, Requester


class NotARequester(Forbidden):
    advice = "Run the job where the policy says, or have a requester added to the project."


def check_requester(project: Project, name: str, who: CiIdentity) -> None:
    """Raises NotARequester."""
    if not any(is_requester(rule, who) for rule in project.requesters):
        raise NotARequester(
            f"The identity {who.subject[:200]!r} of issuer {who.issuer!r} may not ask for project {name!r}"
            f"{_difference(project, who)}."
        )


def is_requester(rule: Requester, who: CiIdentity) -> bool:
    """Whether the identity is of the rule's issuer and carries all its claims."""
    return rule.issuer == who.issuer and not _unmatched(rule, who)


def _unmatched(rule: Requester, who: CiIdentity) -> list[str]:
    found = {name: who.claim(name) for name in rule.claims}
    return [name for name, value in found.items() if value is None or not is_match(rule.claims[name], value)]


def _difference(project: Project, who: CiIdentity) -> str:
    """For a person who debugs a job: the claim in the way, of the rule that comes nearest."""
    rules = [rule for rule in project.requesters if rule.issuer == who.issuer]
    if not rules:
        return ", whose requesters come from another issuer"
    nearest = min(rules, key=lambda rule: len(_unmatched(rule, who)))
    name = _unmatched(nearest, who)[0]
    return f": {name!r} is {(who.claim(name) or '')[:200]!r}, and the policy asks {nearest.claims[name]!r}"
