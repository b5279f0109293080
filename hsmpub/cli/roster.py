"""`hsmpub roster …`: who the people are, changed by co-signature."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hsmpub.approval import load_roster
from hsmpub.cli.difference import differing
from hsmpub.cli.in_force import At, show_in_force
from hsmpub.cli.options import DEFAULT_URL, Agent, CaFile, Key, Person, Pins, Url, connect
from hsmpub.cli.person import fresh, say_outcome, submit
from hsmpub.cli.roster_edit import enrol as enrolled
from hsmpub.cli.roster_edit import revoke as revoked
from hsmpub.cli.say import say
from hsmpub.cli.text_file import read_text
from hsmpub.cli.visible import visible
from hsmpub.client.client import Client
from hsmpub.client.outputs import write_whole
from hsmpub.errors import Conflict
from hsmpub.model.digest import sha256_hex
from hsmpub.model.personal import AskRoster

app = typer.Typer(help="Show and check the roster of people, and have changes adopted.", no_args_is_help=True)
File = Annotated[Path, typer.Argument(help="The roster, TOML.")]
Current = Annotated[Path, typer.Option("--roster", help="The roster in force.")]
Write = Annotated[bool, typer.Option("--write", help="Write the changed text to the file, too.")]
Who = Annotated[str, typer.Argument(help="The person's name.")]


class RosterNotInForce(Conflict):
    advice = "Write the one in force with 'hsmpub roster show > roster.toml': from here the change would undo others'."


@app.command()
def check(file: File) -> None:
    """Check a roster on this machine, as the keeper would."""
    roster = load_roster(read_text(file))
    for group, people in sorted(roster.groups.items()):
        say(f"{visible(group)}: {', '.join(visible(name) for name in sorted(people)) or 'nobody'}")
    say(f"{file} is a valid roster.")


@app.command()
def show(at: At = None, url: Url = DEFAULT_URL, trust: Pins = None, ca_file: CaFile = None) -> None:
    """Print the roster in force, read from the log with proof from your pins on."""
    show_in_force("roster", at, url, trust, ca_file)


@app.command()
def adopt(
    file: File, person: Person, key: Key, agent: Agent = False, url: Url = DEFAULT_URL, trust: Pins = None,
    ca_file: CaFile = None,
) -> None:  # fmt: skip
    """Ask for a roster's adoption."""
    with connect(url, trust, ca_file) as client:
        _ask(client, read_text(file), person, key, agent)


@app.command()
def revoke(
    who: Who, roster: Current, person: Person, key: Key, agent: Agent = False, write: Write = False,
    url: Url = DEFAULT_URL, trust: Pins = None, ca_file: CaFile = None,
) -> None:  # fmt: skip
    """Ask for one person's revocation. It acts on approvals that are still pending, too."""
    with connect(url, trust, ca_file) as client:
        _change(client, roster, revoked(read_text(roster), who), person, key, agent, write)


@app.command()
def enrol(
    who: Who, roster: Current, person: Person, key: Key,
    groups: Annotated[list[str], typer.Option("--group", help="A group; may be given more than once.")],
    keys: Annotated[list[Path], typer.Option("--ssh-key", help="Their .pub file; may be given more than once.")],
    agent: Agent = False, write: Write = False, url: Url = DEFAULT_URL, trust: Pins = None, ca_file: CaFile = None,
) -> None:  # fmt: skip
    """Ask for one more person."""
    lines = [read_text(path).strip() for path in keys]
    with connect(url, trust, ca_file) as client:
        _change(client, roster, enrolled(read_text(roster), who, groups, lines), person, key, agent, write)


def _change(client: Client, file: Path, text: str, person: str, key: Path, agent: bool, write: bool) -> None:
    """1. checks that the file is what is in force, 2. shows the difference, 3. asks, 4. writes where wanted."""
    before = read_text(file)
    if sha256_hex(before.encode()) != client.status().roster_sha256:
        raise RosterNotInForce(f"{file} is not the roster that is in force.")
    for mark, line, style in differing(before, text):
        say(f"{mark} {line}", style)
    _ask(client, text, person, key, agent)
    if write:
        write_whole(file.parent, file.name, text.encode())


def _ask(client: Client, text: str, person: str, key: Path, agent: bool) -> None:
    nonce, at = fresh()
    say_outcome(submit(client, AskRoster(person=person, nonce=nonce, at=at, text=text), key, agent))
