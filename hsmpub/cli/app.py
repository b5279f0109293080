"""The sub-commands of `hsmpub`. Each is a module; this one joins them and turns errors into sentences."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

import typer

from hsmpub.cli.help import WholeSentences, add_examples, examples_of
from hsmpub.cli.say import say_error
from hsmpub.errors import HsmpubError, Invalid

#: Command → its module and what in it: a function, or a group of its own. Their order is that of the help.
COMMANDS = {
    "serve": ("serve", "serve"),
    "status": ("status", "status"),
    "unseal": ("unseal", "unseal"),
    "drill": ("drill", "drill"),
    "seal": ("seal", "seal"),
    "confirm": ("confirm", "confirm"),
    "alive": ("alive", "alive"),
    "upgrade": ("upgrade", "app"),
    "release": ("release", "app"),
    "approve": ("approve", "approve"),
    "decline": ("approve", "decline"),
    "sign": ("sign", "sign"),
    "oci": ("oci", "app"),
    "jwt": ("jwt", "jwt"),
    "certificate": ("certificate", "app"),
    "agent": ("agent", "agent"),
    "verify": ("verify", "verify"),
    "tuf": ("tuf", "app"),
    "gpg": ("gpg", "gpg"),
    "key": ("key", "app"),
    "trust": ("trust", "app"),
    "backup-key": ("backup_key", "backup_key"),
    "decrypt": ("decrypt", "decrypt"),
    "credential": ("credential", "app"),
    "policy": ("policy", "app"),
    "roster": ("roster", "app"),
}


class FileTrouble(Invalid):
    advice = "Check the path, its rights and the room on the disk."


def make_app(words: Sequence[str] = ()) -> typer.Typer:
    """The application for a command line.

    Where the words name a command, only its module is imported: all of them together take half a second.
    """
    wanted = next((word for word in words if not word.startswith("-")), "")
    app = typer.Typer(
        cls=WholeSentences, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None,
        add_completion=False,
    )  # fmt: skip
    app.callback()(_about)
    for name in [wanted] if wanted in COMMANDS else COMMANDS:
        module, attribute = COMMANDS[name]
        command = getattr(import_module(f"hsmpub.cli.{module}"), attribute)
        if isinstance(command, typer.Typer):
            add_examples(name, command)
            app.add_typer(command, name=name, cls=WholeSentences)
        else:
            app.command(name, epilog=examples_of(name))(command)
    return app


def _about() -> None:
    """Signs artifacts and publishes releases with keys that only a quorum can unlock.

    Exit status: 0 done, 1 refused, 2 wrong usage, 3 the service does not answer, 4 it waits:
    people have not approved, or a target has not taken it.
    """


def carry_out(words: Sequence[str]) -> None:
    """Does what a command line says. Refusals are one plain sentence and the next step, never a traceback."""
    try:
        make_app(words)(words, prog_name="hsmpub")
    except HsmpubError as e:
        sys.exit(say_error(e))
    except OSError as e:  # a file of the person's that no command looked at more closely
        sys.exit(say_error(FileTrouble(f"{e.filename}: {e.strerror}." if e.filename else f"{e.strerror or e}.")))
