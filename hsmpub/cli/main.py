"""The command `hsmpub`. Each sub-command is a module; this one joins them and turns errors into sentences."""

from __future__ import annotations

import sys

import typer

from hsmpub.cli import approve, credential, policy, release, roster, seal, serve, sign, status, unseal, verify
from hsmpub.cli.say import say_error
from hsmpub.errors import HsmpubError

_HELP = """Signs artifacts and publishes releases with keys that only a quorum can unlock.

Exit status: 0 done, 1 refused, 2 wrong usage, 3 the service does not answer."""

app = typer.Typer(help=_HELP, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None,
                  add_completion=False)  # fmt: skip
app.command()(serve.serve)
app.command()(status.status)
app.command()(unseal.unseal)
app.command()(seal.seal)
app.add_typer(release.app, name="release")
app.command()(approve.approve)
app.command()(approve.decline)
app.command()(sign.sign)
app.command()(verify.verify)
app.add_typer(credential.app, name="credential")
app.add_typer(policy.app, name="policy")
app.add_typer(roster.app, name="roster")


def run() -> None:
    """The entry point. Refusals are one plain sentence and the next step, never a traceback."""
    try:
        app()
    except HsmpubError as e:
        sys.exit(say_error(e))
