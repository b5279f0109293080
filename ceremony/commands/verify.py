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
from hsmpub.transcript.check import check_transcript


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="A transcript.json, or a backup.")], trust: TrustOption
) -> None:  # fmt: skip
    """Check a transcript or a backup, offline, against the pinned keys."""
    pins, say = read_trust(trust), console()
    head = read_file(file, 16)
    if not head.startswith(b"{"):
        with open_backup(file, pins) as checked:
            show_backup(file, checked, now())
        return
    transcript = check_transcript(read_file(file), pins)
    for step in transcript.steps:
        step_printer(say)(step)
    what = "a rehearsal of " if transcript.head.rehearsal else ""
    say.print(f"\n{file}: {what}the {transcript.head.ceremony} of {pins.service}, signed by log key and keeper.")
