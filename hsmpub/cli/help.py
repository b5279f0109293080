"""What `--help` shows: what each command is for, in whole sentences, and examples that can be typed."""

from __future__ import annotations

import typer
from typer.core import TyperGroup

from hsmpub.cli.examples import EXAMPLES

_LONGEST_SENTENCE = 400


class WholeSentences(TyperGroup):
    """Wraps what a list of commands says of each, where typer cuts it off at the end of the line."""

    def format_commands(self, ctx, formatter):  # type: ignore[no-untyped-def]
        commands = [(name, self.commands[name]) for name in self.list_commands(ctx)]
        rows = [(name, one.get_short_help_str(_LONGEST_SENTENCE)) for name, one in commands if not one.hidden]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)


def examples_of(name: str) -> str | None:
    """What stands below the options. name: the command with its group, as `tuf init`."""
    lines = EXAMPLES.get(name, ())
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)]) if lines else None  # \b: not wrapped


def add_examples(group: str, app: typer.Typer) -> None:
    """To each command of a group that has some."""
    for command in app.registered_commands:
        name = command.name or (command.callback.__name__ if command.callback else "")
        command.epilog = examples_of(f"{group} {name}".strip())
