"""`hsmpub-ceremony backup`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ceremony.backup import make_backup
from ceremony.commands.app import HomeOption, app, console, now
from hsmpub.home import Home
from hsmpub.sandbox import harden


@app.command()
def backup(
    out: Annotated[Path, typer.Argument(help="The file to write (tar); it must not exist.")],
    home: HomeOption = Path("home"),
    artifacts: Annotated[bool, typer.Option("--artifacts", help="With the artifact store.")] = False,
) -> None:
    """Take a backup; no quorum is needed, and the service may run."""
    harden("keeper")
    manifest = make_backup(Home(home.resolve()), out.absolute(), now=now(), artifacts=artifacts)
    say = console()
    say.print(f"{out}: {len(manifest.files)} files, a log of {manifest.log_size} entries.")
    say.print("Its keys are sealed to the recovery quorum; keep it where the service's machine is not.")
