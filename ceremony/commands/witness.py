"""`hsmpub-ceremony witness`: for witnesses, on their own machines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ceremony.commands.app import TrustOption, app, console
from ceremony.inputs import read_file, read_trust
from ceremony.place import write_new
from ceremony.progress import step_printer
from ceremony.witnesses import signature_path
from hsmpub.client.ssh import ssh_sign
from hsmpub.transcript.check import check_transcript
from hsmpub.transcript.witness import WITNESS_NAMESPACE, WitnessUnknown, check_witness, named_witnesses


@app.command()
def witness(
    transcript: Annotated[Path, typer.Argument(help="The ceremony's transcript.json.")],
    trust: TrustOption,
    name: Annotated[str, typer.Option("--name", help="Your name in the ceremony file.")],
    key: Annotated[Path, typer.Option("--key", help="Your SSH key: its file, or the .pub file of one in an agent.")],
    agent: Annotated[bool, typer.Option("--agent", help="Sign with the key in the SSH agent only.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Countersign a transcript: you were there, and it says what you saw. Offline."""
    data, say = read_file(transcript), console()
    checked = check_transcript(data, read_trust(trust))
    if name not in named_witnesses(checked):
        raise WitnessUnknown(f"{name[:80]!r} is no witness of this ceremony.")
    for step in checked.steps:
        step_printer(say)(step)
    if not yes:
        typer.confirm("You were there, and this is what happened?", abort=True)
    signature = ssh_sign(data, key=key, namespace=WITNESS_NAMESPACE, agent=agent)
    check_witness(checked, data, name, signature)
    out = signature_path(transcript, name)
    write_new(out, signature)
    say.print(f"{out}: give it to whoever keeps the transcript.")
