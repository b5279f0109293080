"""A person's own request: made new, signed by their SSH key over its exact bytes, and sent."""

from __future__ import annotations

import time
from pathlib import Path

from hsmpub.cli.say import say
from hsmpub.cli.visible import visible
from hsmpub.client.client import Client
from hsmpub.client.ssh import new_nonce, ssh_sign
from hsmpub.model.personal import PersonalBody
from hsmpub.model.statement import REQUEST_NAMESPACE
from hsmpub.model.submission import dump_submission
from hsmpub.wire.messages import Done, RequestView


def fresh() -> tuple[str, int]:
    """Nonce and time of a new request."""
    return new_nonce(), int(time.time())


def signed_body(body: PersonalBody, key: Path, agent: bool) -> tuple[bytes, bytes]:
    """The exact bytes of the request and their signature. Raises NotSigned."""
    data = dump_submission(body)
    return data, ssh_sign(data, key=key, namespace=REQUEST_NAMESPACE, agent=agent)


def submit(client: Client, body: PersonalBody, key: Path, agent: bool) -> RequestView | Done:
    """Signs and sends. Raises NotSigned, Refused."""
    return client.submit_personal(*signed_body(body, key, agent))


def say_outcome(outcome: RequestView | Done) -> None:
    """What came of it, and who is missing."""
    if isinstance(outcome, Done):
        say(visible(outcome.detail) or "Done.")
        return
    say(f"Request {visible(outcome.request)}: {visible(outcome.state)}.")
    if outcome.missing:
        say("Still to approve: " + missing_words(outcome) + ".")
        say(f"Next: hsmpub approve {visible(outcome.request)} --person NAME --key SSH-KEY, by those who approve")


def missing_words(view: RequestView) -> str:
    """`2 of managers, 1 of security`."""
    return ", ".join(f"{count} of {visible(group)}" for group, count in sorted(view.missing.items()))
