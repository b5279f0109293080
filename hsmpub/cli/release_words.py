"""How a request is told on a terminal."""

from __future__ import annotations

from hsmpub.cli.person import missing_words
from hsmpub.cli.say import note, say
from hsmpub.cli.visible import visible
from hsmpub.wire.messages import RequestView


def say_view(view: RequestView) -> None:
    """State, approvals, and what is still missing."""
    what = " ".join(visible(part) for part in (view.project, view.version) if part)
    why = f" {visible(view.why)}" if view.why else ""
    say(f"Request {visible(view.request)}{f' ({what})' if what else ''} is {visible(view.state)}.{why}")
    for approval in view.approvals:
        say(f"  approved by {visible(approval.person)}")
    if view.missing:
        say(f"  still to approve: {missing_words(view)}")
    say_publishing(view)


def say_next(view: RequestView) -> None:
    """What people do now, where it waits for them."""
    if view.missing:
        note(f"Next: hsmpub approve {view.request} --person NAME --key SSH-KEY, by those who approve")


def say_publishing(view: RequestView) -> None:
    """How far each target is."""
    for item in view.publishing:
        detail = f" ({visible(item.detail)})" if item.detail else ""
        say(f"  {visible(item.target)}: {visible(item.item)} {visible(item.state)}{detail}")
