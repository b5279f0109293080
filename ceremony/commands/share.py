"""`hsmpub-ceremony check-share`: for holders, on their own machines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ceremony.commands.app import TrustOption, app, console
from ceremony.inputs import read_file, read_secret_file, read_trust
from ceremony.own_share import check_share
from hsmpub.sandbox import harden
from hsmpub.transcript.check import check_transcript


@app.command(name="check-share")
def check_own(
    share: Annotated[Path, typer.Argument(help="Your share file.")],
    transcript: Annotated[Path, typer.Option("--transcript", help="The ceremony's transcript.json.")],
    trust: TrustOption,
    holder: Annotated[str, typer.Option("--holder", help="Your name in the ceremony.")],
    identity: Annotated[Path, typer.Option("--identity", help="Your private key, age or SSH.")],
) -> None:
    """Check your own share against the transcript, without unsealing anything."""
    harden("keeper")
    checked = check_transcript(read_file(transcript), read_trust(trust))
    purpose, epoch = check_share(checked, holder, read_file(share), read_secret_file(identity))
    console().print(f"This is the {purpose} share of {holder}, epoch {epoch}, as the ceremony made it.")
