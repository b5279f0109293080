"""What the status warns of because of the rules in force: sentences, each with what it is about."""

from __future__ import annotations

from hsmpub.keeper.book import Book


def of_rules_in_force(book: Book) -> list[str]:
    """Policy and issuers that are weaker than they could be, or not ready."""
    bearer = [
        f"issuer {name} accepts tokens that are not bound to the job's session key"
        for name, issuer in book.policy.issuers.items()
        if issuer.bearer
    ]
    missing = [
        f"issuer {name}: its signing keys were not fetched yet; the courier's log says why"
        for name in book.policy.issuers
        if name not in book.issuer_keys()
    ]
    glass = [
        f"policy or roster were adopted without approvals, by the holders in break-glass ceremony {number}"
        for number in [book.state.broken_glass]
        if number
    ]
    return bearer + missing + glass


def of_retired_keys(book: Book) -> list[str]:
    active = book.keys.active
    named = {signs.key for project in book.policy.projects.values() for signs in project.sign}
    named |= {target.key for target in book.policy.targets.values() if target.key}
    if (authority := book.policy.timestamping) is not None:
        named.add(authority.key)
    return [f"the policy has {name} sign, which was retired: adopt another" for name in sorted(named - set(active))]
