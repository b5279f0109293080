"""`hsmpub seal`: ends the service's use of its keys at once."""

from __future__ import annotations

from hsmpub.cli.options import DEFAULT_URL, Agent, CaFile, Key, Person, Pins, Url, connect
from hsmpub.cli.person import fresh, signed_body
from hsmpub.cli.say import say
from hsmpub.model.submission import AskSeal


def seal(
    person: Person,
    key: Key,
    reason: str = "",
    agent: Agent = False,
    url: Url = DEFAULT_URL,
    trust: Pins = None,
    ca_file: CaFile = None,
) -> None:
    """Seal the service at once. It takes a quorum of holders to unseal it again."""
    nonce, at = fresh()
    with connect(url, trust, ca_file) as client:
        client.seal(*signed_body(AskSeal(person=person, nonce=nonce, at=at, reason=reason), key, agent))
    say("The service is sealed. Holders unseal it with 'hsmpub unseal'.")
