"""`hsmpub-ceremony hsm check`: what a PKCS#11 module can do, before anybody relies on it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ceremony.commands.app import app, console
from ceremony.file import HsmTable, load_ceremony_file
from ceremony.module_check import look_at_module
from ceremony.plan import read_text
from hsmpub.errors import Invalid
from hsmpub.hsm.rules import ModuleUnfit
from hsmpub.sandbox import harden

hsm = typer.Typer(no_args_is_help=True, help="The HSM and its PKCS#11 module.")
app.add_typer(hsm, name="hsm")


class ModuleNotNamed(Invalid):
    advice = "Give a ceremony file that names one under [hsm], or --module. SoftHSM in the home needs no check."


@hsm.command()
def check(
    ceremony: Annotated[Path | None, typer.Argument(help="A ceremony file; its [hsm] is looked at.")] = None,
    module: Annotated[str, typer.Option("--module", help="Path of the PKCS#11 module.")] = "",
    token: Annotated[str, typer.Option("--token", help="Label that the new token is to have.")] = "hsmpub",  # noqa: S107
    pin_length: Annotated[int, typer.Option("--pin-length", min=4, max=255, help="Characters of its PINs.")] = 40,
    network: Annotated[bool, typer.Option("--network", help="The module opens network connections.")] = False,
    variable: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE: a variable that the module is configured by.")
    ] = None,
) -> None:
    """Say whether the service can run with a module. Logs in nowhere and changes nothing; exit status 1: it cannot."""
    if ceremony is not None:
        table = load_ceremony_file(read_text(ceremony)).hsm
    else:
        variables = dict(one.partition("=")[::2] for one in variable or [])
        table = HsmTable.model_construct(
            module=module, token=token, pin_length=pin_length, network=network, environment=variables
        )
    if not table.module:
        raise ModuleNotNamed("No module is named.")
    harden("keeper", network=table.network)
    report = look_at_module(table)
    say = console()
    say.print(f"{report.name}\n{table.module}\n", markup=False)
    width = max(map(len, report.rows))
    for name, answer in report.rows.items():
        say.print(f"{'lacks' if name in report.lacks else 'ok':<6} {name:<{width}}  {answer}", markup=False)
    if report.lacks:
        missing = ", ".join(report.lacks)
        raise ModuleUnfit(f"The service cannot run with this module. It lacks: {missing}.")
    say.print("\nThe service can run with this module, as far as it says itself; the ceremony proves each key.")
