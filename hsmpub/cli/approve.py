"""`hsmpub approve` and `hsmpub decline`: a person sees the statement in full, and signs its exact bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hsmpub.cli.in_force import replaced
from hsmpub.cli.options import DEFAULT_URL, Agent, CaFile, Key, Person, Pins, Url, Yes, connect
from hsmpub.cli.person import missing_words
from hsmpub.cli.say import console, note, say
from hsmpub.cli.statement_view import show_statement
from hsmpub.cli.visible import visible
from hsmpub.client.client import Client
from hsmpub.client.ssh import ssh_sign
from hsmpub.errors import Broken, Invalid
from hsmpub.model.statement import APPROVAL_NAMESPACE, REFUSAL_NAMESPACE, load_statement, pae
from hsmpub.wire.messages import RequestView

Request = Annotated[str, typer.Argument(help="The request, as 'hsmpub release list' names it.")]


class NotAgreed(Invalid):
    advice = "Answer 'y' at a terminal, or say --yes once you have read what is shown."


class StatementOfAnotherRequest(Broken):
    advice = "Sign nothing: the service showed another request than the one that was asked for."


def approve(
    request: Request, person: Person, key: Key, agent: Agent = False, yes: Yes = False, url: Url = DEFAULT_URL,
    trust: Pins = None, ca_file: CaFile = None,
) -> None:  # fmt: skip
    """Show a request in full and approve it with your SSH key."""
    with connect(url, trust, ca_file) as client:
        signature = _sign(client, request, key, agent, APPROVAL_NAMESPACE, "Approve this", yes)
        _say_where_it_stands(client.approve(request, person, signature))


def decline(
    request: Request, person: Person, key: Key, agent: Agent = False, yes: Yes = False, url: Url = DEFAULT_URL,
    trust: Pins = None, ca_file: CaFile = None,
) -> None:  # fmt: skip
    """Show a request in full and refuse it for good."""
    with connect(url, trust, ca_file) as client:
        signature = _sign(client, request, key, agent, REFUSAL_NAMESPACE, "Refuse this for good", yes)
        _say_where_it_stands(client.decline(request, person, signature))


def _sign(client: Client, request: str, key: Path, agent: bool, namespace: str, question: str, yes: bool) -> bytes:
    """1. reads the exact bytes, 2. checks that they are of this request, 3. shows them, 4. asks, 5. signs."""
    exact = client.statement(request)
    statement = load_statement(exact)
    if statement.predicate.request != request:
        raise StatementOfAnotherRequest("The statement that came is of another request.")
    show_statement(console(), statement, exact, replaced(client, statement))
    if not yes:
        _check_agreed(question)
    return ssh_sign(pae(exact), key=key, namespace=namespace, agent=agent)


def _check_agreed(question: str) -> None:
    try:
        agreed = typer.confirm(f"{question}?", err=True)
    except typer.Abort:  # nobody is there to answer
        note("")
        agreed = False
    if not agreed:
        raise NotAgreed("Nothing was signed and nothing was sent.")


def _say_where_it_stands(view: RequestView) -> None:
    given = ", ".join(visible(approval.person) for approval in view.approvals)
    say(f"Request {visible(view.request)} is {visible(view.state)}." + (f" Approved by {given}." if given else ""))
    if view.missing:
        say(f"Still to approve: {missing_words(view)}.")
