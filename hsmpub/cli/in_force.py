"""Policy and roster as the log has them in force, with proof: printed, or for what would take their place."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from hsmpub.cli.options import connect
from hsmpub.cli.say import note
from hsmpub.cli.visible import visible
from hsmpub.client.adopted import Adopted, Kind, digest_replaced
from hsmpub.client.client import Client
from hsmpub.client.trust import PinsMissing
from hsmpub.errors import Refused, Unavailable
from hsmpub.model.clock import rfc3339
from hsmpub.model.statement import Statement

At = Annotated[int | None, typer.Option("--at", min=0, help="In force at this entry of the log, instead of now.")]
#: Entries after each of which a word is said of how far it is.
_FAR = 10_240


def show_in_force(kind: Kind, at: int | None, url: str, trust: Path | None, ca_file: Path | None) -> None:
    """Prints the text, byte for byte where it goes to a file, and beside it since when it is in force.

    Raises what `LogAsks.adopted` raises, PinsMissing.
    """
    with connect(url, trust, ca_file) as client:
        found = client.adopted(kind, at, reading=_tell)
    if sys.stdout.isatty():
        sys.stdout.write(visible(found.text, lines=True))
    else:
        sys.stdout.buffer.write(found.text.encode())
        sys.stdout.buffer.flush()
    note(f"This {kind} is in force since entry {found.index} of the log, {rfc3339(found.at)}, {_by(found)}.")


def replaced(client: Client, statement: Statement) -> Adopted | None:
    """The policy or roster that the one of a statement would replace. Without pins, while the log's end is not signed
    or where the statement names none, there is none: the whole new text is all that can be shown then, and that is
    said.

    Raises what `LogAsks.replaced` raises.
    """
    if statement.predicate.kind not in ("policy", "roster"):
        return None
    if not digest_replaced(statement.predicate):
        note("What changes cannot be shown: the request is older than statements that name the roster in force.")
        return None
    try:
        return client.replaced(statement)
    except PinsMissing:
        note("What changes cannot be shown without the pins: name trust.json with --trust or HSMPUB_TRUST.")
    except Refused as error:
        if error.problem.family != Unavailable.family:
            raise
        note(f"What changes cannot be shown now: {error.detail} {error.next_step}")
    return None


def _by(found: Adopted) -> str:
    return f"by request {found.request}" if found.request else "adopted by a ceremony"


def _tell(index: int) -> None:
    if index and index % _FAR == 0:
        note(f"Reading the log back, at entry {index:,}.")
