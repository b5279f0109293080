"""`hsmpub-ceremony verify`: a transcript or a backup."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ceremony.backup_check import open_backup
from ceremony.commands.app import TrustOption, app, console, now
from ceremony.commands.backup import show_backup
from ceremony.inputs import read_file, read_trust
from ceremony.progress import step_printer
from ceremony.witnesses import check_witnesses
from hsmpub.errors import Conflict
from hsmpub.model.digest import sha256_hex
from hsmpub.transcript.check import check_transcript
from hsmpub.transcript.witness import named_witnesses

_SIGNERS = {"log": "log key", "keeper": "keeper"}
_SEALED = "The keeper's identity signed alone: the log key was sealed with the HSM. The log has the same fact."
_ALONE = {"offboard": "The keeper's identity signed alone: nothing was changed, and the HSM stayed closed."}


class CeremonyFileDiffers(Conflict):
    advice = "Compare it with the file that was reviewed: the ceremony was held with another one."


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="A transcript.json, or a backup.")],
    trust: TrustOption,
    ceremony: Annotated[
        Path | None, typer.Option("--ceremony", help="The reviewed ceremony file: it must be the one that was used.")
    ] = None,
    require_witnesses: Annotated[
        bool, typer.Option("--require-witnesses", help="Every witness that the ceremony file names has signed.")
    ] = False,
) -> None:
    """Check a transcript or a backup, offline, against the pinned keys.

    Signatures of witnesses, transcript.witness-NAME.sig, are checked where they lie beside the transcript.
    """
    pins, say = read_trust(trust), console()
    head = read_file(file, 16)
    if not head.startswith(b"{"):
        with open_backup(file, pins) as checked:
            show_backup(file, checked, now())
        return
    data = read_file(file)
    transcript = check_transcript(data, pins)
    if ceremony is not None and transcript.facts("ceremony file").get("sha256") != sha256_hex(read_file(ceremony)):
        raise CeremonyFileDiffers(f"{ceremony} is not the file that the ceremony was held with.")
    witnessed = check_witnesses(file, data, transcript, required=require_witnesses)
    for step in transcript.steps:
        step_printer(say)(step)
    what = "a rehearsal of " if transcript.head.rehearsal else ""
    signers = " and ".join(_SIGNERS[seal.signer] for seal in transcript.seals)
    say.print(f"\n{file}: {what}the {transcript.head.ceremony} of {pins.service}, signed by {signers}.")
    if len(transcript.seals) == 1:
        say.print(_ALONE.get(transcript.head.ceremony, _SEALED))
    if named := named_witnesses(transcript):
        missing = sorted(set(named) - set(witnessed))
        lacking = f" Not yet by {', '.join(missing)}." if missing else ""
        say.print(f"Witnessed by {', '.join(witnessed) or 'nobody yet'}.{lacking}")
