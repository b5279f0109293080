"""An offboarding for people: what was found, what was done, and what is to be done next, in this order."""

from __future__ import annotations

from collections.abc import Iterator

from ceremony.offboard.findings import Findings


def told(findings: Findings) -> Iterator[str]:
    """What was found, a line each."""
    if findings.is_nothing:
        yield f"Nothing of the service touches {', '.join(findings.names)}."
        return
    for share in findings.shares:
        state = "waits to come in force" if share.waiting else "in force"
        left = "a quorum is left without it" if share.enough_left else "WITHOUT IT NO QUORUM IS LEFT"
        group = f", group {share.group}" if share.group else ""
        yield f"share     {share.quorum} quorum, epoch {share.epoch}{group}, of {share.holder}: {state}; {left}"
    for key in findings.keys:
        yield f"key       approves with {key}"
    for actor in findings.actors:
        yield f"account   {actor}: its CI runs count as theirs"
    for rule in findings.rules:
        left = f"{rule.left} left" + ("; NOBODY CAN MEET IT ANY MORE" if rule.is_broken else "")
        yield f"rule      {rule.rule} asks for {rule.count} of {rule.group}: {left}"
    for project in findings.requesters:
        yield f"requester project.{project} names an account of theirs"
    for name in findings.credentials:
        yield f"secret    credential {name} was sealed on their request: they have seen it"
    for request in findings.requests:
        project = f" of {request.project}" if request.project else ""
        yield f"request   {request.request} ({request.kind}{project}): {request.why}"


def next_steps(findings: Findings, *, asked: str, papers: tuple[str, ...], roster_problem: str = "") -> Iterator[str]:
    """What is left to people.

    asked: id of the revocation's request, or nothing; papers: files that were written; roster_problem: why no roster.
    """
    if asked:
        yield f"Approve the revocation: hsmpub approve {asked}. It acts on what they approved and is still open, too."
    elif roster_problem:
        yield f"Write the roster without them yourself, and have it adopted: {roster_problem}"
    elif findings.enrolled:
        yield "Ask for the revocation: hsmpub roster adopt roster.toml --person YOU --key SSH-KEY; then it is approved."
    if any(rule.is_broken for rule in findings.rules):
        yield (
            "Before that, enrol somebody or adopt another policy: rules above could not be met any more. If too few are"
            " left to approve it, the holders can: hsmpub-ceremony break-glass."
        )
    if "reshare.toml" in papers:
        reshare = "Make new sets of shares: review reshare.toml, rehearse it, and hold it (hsmpub-ceremony reshare)."
        yield f"{reshare} Until its second step their share counts as before."
    for name in findings.credentials:
        yield f"Make {name} invalid where it was issued, and seal a new one: hsmpub credential seal {name}."
    for request in findings.requests:
        if request.why == "asked by them":
            yield f"Decide on {request.request}: somebody of its groups can end it: hsmpub decline {request.request}."
