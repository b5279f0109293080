"""`hsmpub release …`: ask for a release, look after it, fetch what it made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hsmpub.cli.in_force import replaced
from hsmpub.cli.options import (
    DEFAULT_URL,
    AsJson,
    Audience,
    CaFile,
    Pins,
    TokenCommand,
    TokenFile,
    Url,
    connect,
    connect_ci,
)
from hsmpub.cli.own_outputs import WithSignatures, check_release_files
from hsmpub.cli.person import missing_words
from hsmpub.cli.predicate import PredicateFile, PredicateType, read_predicate
from hsmpub.cli.progress import bars
from hsmpub.cli.release_run import run
from hsmpub.cli.release_words import say_next, say_publishing, say_view
from hsmpub.cli.say import console, note, say, say_json
from hsmpub.cli.statement_view import show_statement
from hsmpub.cli.visible import visible
from hsmpub.client.asks.releases import StillWaiting
from hsmpub.model.statement import load_statement

app = typer.Typer(help="Ask for releases, look after them, fetch what they made.", no_args_is_help=True)
app.command("run")(run)
Request = Annotated[str, typer.Argument(help="The request, as 'hsmpub release list' names it.")]


@app.command()
def submit(
    files: Annotated[list[Path], typer.Argument(help="The files of the release.", exists=True, dir_okay=False)],
    project: Annotated[str, typer.Option("--project")],
    version: Annotated[str, typer.Option("--version")],
    commit: Annotated[str, typer.Option("--commit", help="The source commit, in full.")],
    predicate: PredicateFile = None, predicate_type: PredicateType = "", with_signatures: WithSignatures = False,
    token_command: TokenCommand = "", token_file: TokenFile = None, audience: Audience = "", as_json: AsJson = False,
    url: Url = DEFAULT_URL, trust: Pins = None, ca_file: CaFile = None,
) -> None:  # fmt: skip
    """Upload files and ask for their release. A release that was asked for before is resumed, not doubled."""
    check_release_files(files, with_signatures)
    attest = read_predicate(predicate, predicate_type)
    with (
        connect_ci(url, trust, ca_file, command=token_command, file=token_file, audience=audience) as client,
        bars() as start,
    ):
        references = [client.upload(path, progress=start(path.name, path.stat().st_size)) for path in files]
        view, resumed = client.ask_release(project, version, commit, references, attest)
    if as_json:
        say_json(view)
        return
    if resumed:
        say("This release was asked for before; it goes on from there.")
    say_view(view)
    say_next(view)


@app.command("list")
def list_(
    everything: Annotated[bool, typer.Option("--all", help="Finished ones too.")] = False, as_json: AsJson = False,
    url: Url = DEFAULT_URL, trust: Pins = None, ca_file: CaFile = None,
) -> None:  # fmt: skip
    """List requests that wait for somebody or something."""
    with connect(url, trust, ca_file) as client:
        found = client.requests(open_only=not everything)
    if as_json:
        say_json(found)
        return
    for view in found:
        waiting = f"; waits for {missing_words(view)}" if view.missing else ""
        what = " ".join(visible(part) for part in (view.kind, view.project, view.version) if part)
        say(f"{visible(view.request)}  {what}: {visible(view.state)}{waiting}")
    if not found:
        note("There is no request." if everything else "No request is open; --all lists the finished ones, too.")


@app.command()
def show(
    request: Request, as_json: AsJson = False, url: Url = DEFAULT_URL, trust: Pins = None, ca_file: CaFile = None
) -> None:
    """Show a request in full."""
    with connect(url, trust, ca_file) as client:
        view = client.request(request)
        if as_json:
            say_json(view)
            return
        statement = load_statement(view.statement)
        show_statement(console(), statement, view.statement, replaced(client, statement))
    say_view(view)


@app.command()
def wait(
    request: Request,
    timeout: Annotated[float, typer.Option(help="Seconds to wait at most; 0 looks once.")] = 3600.0,
    every: Annotated[float, typer.Option(help="Seconds between two looks.", min=0.05)] = 1.0,
    url: Url = DEFAULT_URL, trust: Pins = None, ca_file: CaFile = None,
) -> None:  # fmt: skip
    """Wait until a release is out, or will never be."""
    with connect(url, trust, ca_file) as client:
        try:
            client.wait(request, timeout, every=every, seen=say_view)
        except StillWaiting:
            say_publishing(client.request(request))
            raise


@app.command()
def fetch(
    request: Request,
    files: Annotated[
        list[Path] | None, typer.Argument(help="Files of the release; what is signed inside is written signed.")
    ] = None,
    into: Annotated[Path, typer.Option("--to", help="Folder to write to.")] = Path(),
    url: Url = DEFAULT_URL, trust: Pins = None, ca_file: CaFile = None,
) -> None:  # fmt: skip
    """Fetch the signatures that a release made, and its receipt. Those of the files whose signature
    goes into the file are written to the folder, too, signed."""
    into.mkdir(parents=True, exist_ok=True)
    with connect(url, trust, ca_file) as client:
        client.fetch_release(request, into, files=files or [], written=lambda path: say(str(path)))
