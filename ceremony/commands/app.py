"""What every command shares: the application, its options, its clock and its console."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from hsmpub.cli.help import WholeSentences

app = typer.Typer(
    cls=WholeSentences, add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False,
    rich_markup_mode=None, help="Key ceremonies: one reviewed file in, a signed transcript out.",
)  # fmt: skip

HomeOption = Annotated[
    Path, typer.Option("--home", envvar="HSMPUB_HOME", help="Folder of the service.", show_default=True)
]
TrustOption = Annotated[
    Path, typer.Option("--trust", envvar="HSMPUB_TRUST", help="The service's pins: a copy of its trust.json.")
]
CardsOption = Annotated[
    Path | None,
    typer.Option("--cards", help="Folder outside the home for share cards to print, best in memory: they are secret."),
]


def now() -> int:
    """Seconds since 1970."""
    return int(time.time())


def console(stderr: bool = False) -> Console:
    return Console(stderr=stderr, soft_wrap=True, highlight=False)
