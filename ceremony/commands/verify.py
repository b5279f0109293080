"""`hsmpub-ceremony verify`: a transcript or a backup."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ceremony.backup_check import open_backup
from ceremony.commands.app import TrustOption, app, console
from ceremony.inputs import read_file, read_trust
from ceremony.progress import step_printer
from hsmpub.model.clock import rfc3339
from hsmpub.transcript.check import check_transcript
from hsmpub.transcript.record import KEEPER_ALONE


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="A transcript.json, or a backup.")], trust: TrustOption
) -> None:  # fmt: skip
    """Check a transcript or a backup, offline, against the pinned keys."""
    pins, say = read_trust(trust), console()
    head = read_file(file, 16)
    if not head.startswith(b"{"):
        with open_backup(file, pins) as checked:
            manifest = checked.manifest
            say.print(f"{file}: a backup of {pins.service}, taken {rfc3339(manifest.at)}, epoch {manifest.epoch},")
            say.print(f"{len(manifest.files)} files as signed, a log of {manifest.log_size} entries.")
        return
    transcript = check_transcript(read_file(file), pins)
    for step in transcript.steps:
        step_printer(say)(step)
    what = "a rehearsal of " if transcript.head.rehearsal else ""
    by = "log key and keeper."
    if transcript.head.ceremony in KEEPER_ALONE:
        by = "the keeper's identity alone: the log key was sealed with the HSM. The log has the same fact."
    say.print(f"\n{file}: {what}the {transcript.head.ceremony} of {pins.service}, signed by {by}")
