"""`hsmpub confirm`: sends a holder's confirmation of a new share to the service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hsmpub.cli.options import DEFAULT_URL, CaFile, Pins, Url, connect
from hsmpub.cli.say import say
from hsmpub.cli.visible import visible


def confirm(
    confirmation: Annotated[Path, typer.Argument(help="What 'hsmpub-ceremony share check --confirmation' wrote.")],
    url: Url = DEFAULT_URL, trust: Pins = None, ca_file: CaFile = None,
) -> None:  # fmt: skip
    """Send the confirmation of your share, so that its set can come into force. It says nothing about the share."""
    with connect(url, trust, ca_file) as client:
        say(visible(client.confirm_share(confirmation.read_bytes())))
