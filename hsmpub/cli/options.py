"""Options that many commands share, and what is made of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hsmpub.client.client import Client
from hsmpub.client.token import token_source
from hsmpub.client.trust import PinsMissing, read_trust
from hsmpub.model.trust import Trust

Url = Annotated[str, typer.Option("--url", envvar="HSMPUB_URL", help="Address of the service.")]
Pins = Annotated[
    Path | None, typer.Option("--trust", envvar="HSMPUB_TRUST", help="The service's pins: a copy of its trust.json.")
]
CaFile = Annotated[
    Path | None, typer.Option("--ca-file", envvar="HSMPUB_CA_FILE", help="Certificates to trust, in PEM.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of sentences.")]
Person = Annotated[str, typer.Option("--person", envvar="HSMPUB_PERSON", help="Your name in the roster.")]
Key = Annotated[
    Path,
    typer.Option("--key", envvar="HSMPUB_KEY", help="Your SSH key: its file, or the .pub file of one in an agent."),
]
Agent = Annotated[bool, typer.Option("--agent", help="Sign with the key in the SSH agent only.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
TokenCommand = Annotated[
    str,
    typer.Option(
        "--token-command",
        envvar="HSMPUB_TOKEN_COMMAND",
        help="Command that prints a CI identity token; {audience} is replaced. No shell is involved.",
    ),
]
TokenFile = Annotated[
    Path | None,
    typer.Option("--token-file", envvar="HSMPUB_TOKEN_FILE", help="File with a CI identity token (bearer)."),
]
Audience = Annotated[
    str,
    typer.Option("--audience", envvar="HSMPUB_AUDIENCE", help="Audience of the token; by default the service's name."),
]
DEFAULT_URL = "http://127.0.0.1:8700"


def pins(path: Path | None) -> Trust:
    """The pins in a file, for what cannot be done without. Raises PinsMissing, PinsUnreadable, TrustMalformed."""
    if path is None:
        raise PinsMissing("The pins of the service are needed: nothing else is trusted here.")
    return read_trust(path)


def connect(url: str, trust: Path | None, ca_file: Path | None) -> Client:
    """A client. Raises PinsUnreadable, TrustMalformed, AddressRefused, CaFileUnusable."""
    return Client(url, read_trust(trust) if trust is not None else None, ca_file=ca_file)


def connect_ci(url: str, trust: Path | None, ca_file: Path | None, *, command: str, file: Path | None,
               audience: str) -> Client:  # fmt: skip
    """A client with an open CI session. Raises NoTokenSource, TokenNotMade, Refused and what `connect` raises."""
    source = token_source(command, file)
    client = connect(url, trust, ca_file)
    client.open_session(source, audience)
    return client
