"""`hsmpub seal`: ends the service's use of its keys at once. One person of the roster is enough, or one holder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hsmpub.cli.holder_share import signed_act
from hsmpub.cli.options import DEFAULT_URL, Agent, CaFile, Pins, Url, connect
from hsmpub.cli.person import fresh, signed_body
from hsmpub.cli.say import say
from hsmpub.cli.share_file import Identity
from hsmpub.client.client import Client
from hsmpub.errors import Invalid
from hsmpub.model.personal import AskSeal


class NobodySeals(Invalid):
    advice = "Name yourself as a person (--person, --key), or as a holder (--holder, --share)."


def seal(
    person: Annotated[str, typer.Option("--person", envvar="HSMPUB_PERSON", help="Your name in the roster.")] = "",
    key: Annotated[
        Path | None,
        typer.Option("--key", envvar="HSMPUB_KEY", help="Your SSH key: its file, or the .pub file of one in an agent."),
    ] = None,
    holder: Annotated[
        str, typer.Option("--holder", envvar="HSMPUB_HOLDER", help="Your name among the holders; with --share.")
    ] = "",
    share: Annotated[str, typer.Option("--share", help="Your share file; it signs here and is not handed in.")] = "",
    identity: Identity = None,
    reason: str = "",
    agent: Agent = False,
    url: Url = DEFAULT_URL,
    trust: Pins = None,
    ca_file: CaFile = None,
) -> None:
    """Seal the service at once, as a person of the roster or as a holder. It takes a quorum to unseal it again."""
    with connect(url, trust, ca_file) as client:
        if share:
            _as_holder(client, holder, share, identity, reason)
        elif person and key is not None:
            nonce, at = fresh()
            client.seal(*signed_body(AskSeal(person=person, nonce=nonce, at=at, reason=reason), key, agent))
        else:
            raise NobodySeals("Nobody is named who seals.")
    say("The service is sealed. Holders unseal it with 'hsmpub unseal'.")


def _as_holder(client: Client, holder: str, share: str, identity: Path | None, reason: str) -> None:
    if not holder:
        raise NobodySeals("The share's holder is not named.")
    nonce, signature = signed_act(client, share, identity, holder, "seal", reason)
    client.seal_as_holder(holder, nonce.nonce, reason, signature)
