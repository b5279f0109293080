"""`hsmpub release run`: one command for a CI job, from the files to their signatures, that may be run again at will.

The job's variables file learns the request's name as soon as there is one. A job that ends before the people have
approved, or is cancelled, loses nothing: the next run goes on with the same request.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from hsmpub.cli.options import DEFAULT_URL, Audience, CaFile, Pins, TokenCommand, TokenFile, Url, connect, connect_ci
from hsmpub.cli.own_outputs import WithSignatures, check_release_files
from hsmpub.cli.predicate import PredicateFile, PredicateType, read_predicate
from hsmpub.cli.progress import bars
from hsmpub.cli.release_words import say_publishing, say_view
from hsmpub.cli.say import note, say
from hsmpub.cli.visible import visible
from hsmpub.client.asks.releases import StillWaiting
from hsmpub.client.client import Client
from hsmpub.client.outputs import NotWritten
from hsmpub.client.upload import refer_to
from hsmpub.errors import Broken, Conflict, Invalid
from hsmpub.formats.registry import FORMATS
from hsmpub.model.attested import Attestation
from hsmpub.model.statement import load_statement
from hsmpub.wire.messages import RequestView

_WORD = re.compile(r"[A-Za-z0-9_-]{1,80}")


class NothingToRelease(Invalid):
    advice = "Name the files, or with --request the request to go on with."


class RequestForOthers(Conflict):
    """The request that was named is about something else than what this job has at hand."""

    advice = "Take the files of the first run (keep them as artifacts of the job), or ask for another version."


class NotAWord(Broken):
    advice = "Do not go on: the service answers with what no service of this version says."


def run(
    files: Annotated[list[Path] | None, typer.Argument(help="The files of the release.")] = None,
    project: Annotated[str, typer.Option("--project", envvar="HSMPUB_PROJECT")] = "",
    version: Annotated[str, typer.Option("--version")] = "",
    commit: Annotated[str, typer.Option("--commit", help="The source commit, in full.")] = "",
    predicate: PredicateFile = None, predicate_type: PredicateType = "", with_signatures: WithSignatures = False,
    request: Annotated[str, typer.Option("--request", help="Go on with this request; ask for nothing.")] = "",
    timeout: Annotated[float, typer.Option(help="Seconds to wait for approvals and publishing at most.")] = 3600.0,
    every: Annotated[float, typer.Option(help="Seconds between two looks.", min=0.05)] = 5.0,
    into: Annotated[Path, typer.Option("--to", help="Folder for signatures and receipt.")] = Path(),
    variables: Annotated[
        Path | None, typer.Option("--variables", help="File to which HSMPUB_REQUEST=… and HSMPUB_STATE=… are added.")
    ] = None,
    token_command: TokenCommand = "", token_file: TokenFile = None, audience: Audience = "",
    url: Url = DEFAULT_URL, trust: Pins = None, ca_file: CaFile = None,
) -> None:  # fmt: skip
    """Ask for a release, wait until it is out, and fetch what it made: for CI jobs. Run again, it goes on where it
    stands. Exits with 4 where people have not approved in time. Files named here whose signature goes into the
    file are written to the folder, too, signed, but never over themselves."""
    paths, attest = files or [], read_predicate(predicate, predicate_type)
    check_release_files(paths, with_signatures)
    if request:
        client = connect(url, trust, ca_file)
    elif not paths or not (project and version and commit):
        raise NothingToRelease("There are no files to release, or no --project, --version and --commit for them.")
    else:
        client = connect_ci(url, trust, ca_file, command=token_command, file=token_file, audience=audience)
    with client:
        view = _go_on(client, request, paths, project, version) if request else _ask(
            client, paths, project, version, commit, attest
        )  # fmt: skip
        _tell(variables, view)

        def seen(now: RequestView) -> None:
            _tell(variables, now)
            say_view(now)

        try:
            client.wait(view.request, timeout, every=every, seen=seen)
        except StillWaiting:
            say_publishing(client.request(view.request))
            raise
        into.mkdir(parents=True, exist_ok=True)
        at_hand = [path for path in paths if not _stands_there(view, path, into)]
        client.fetch_release(view.request, into, files=at_hand, written=lambda path: say(str(path)))
        unwritten = _inside(view).keys() - {path.name for path in at_hand}
    if unwritten:
        note(f"Signed inside, and not written here: {', '.join(map(visible, sorted(unwritten)))}.")
        note(f"Next: 'hsmpub release fetch {view.request} FILE… --to FOLDER' writes them signed, to another folder")


def _inside(view: RequestView) -> dict[str, str]:
    """The files of a release that carry their signature → the name of the signed file."""
    statement = load_statement(view.statement)
    return {
        subject.name: FORMATS[name].signed_name(subject.name)
        for subject in statement.subject
        for signing in statement.sign(subject)
        for name in signing.formats
        if name in FORMATS and FORMATS[name].embedded
    }


def _stands_there(view: RequestView, path: Path, into: Path) -> bool:
    """Whether the signed file would come over this one, which the next run takes as the release's."""
    return _inside(view).get(path.name) == path.name and path.absolute().parent.resolve() == into.resolve()


def _ask(client: Client, paths: list[Path], project: str, version: str, commit: str,
         attest: Attestation | None) -> RequestView:  # fmt: skip
    with bars() as start:
        references = [
            client.upload(path, progress=start(path.name, path.stat().st_size if path.is_file() else 0))
            for path in paths
        ]
    view, resumed = client.ask_release(project, version, commit, references, attest)
    if resumed:
        say("This release was asked for before; it goes on from there.")
    return view


def _go_on(client: Client, request: str, paths: list[Path], project: str, version: str) -> RequestView:
    """The request that was named, if it is about what is at hand. Raises RequestForOthers."""
    view = client.request(request)
    named = {subject.name: subject.sha256 for subject in load_statement(view.statement).subject}
    if view.kind != "release" or project not in ("", view.project) or version not in ("", view.version):
        raise RequestForOthers("The request is for another project or version, or for no release.")
    for path in paths:
        if named.get(path.name) != refer_to(path).sha256:
            raise RequestForOthers(f"{path.name!r} is not the file of that name in the request.")
    return view


def _tell(variables: Path | None, view: RequestView) -> None:
    """Adds to the job's variables, one line each. What could be more than a word is refused: the CI system reads it.

    Raises:
        NotAWord, NotWritten.
    """
    for word in (view.request, view.state):
        if not _WORD.fullmatch(word):
            raise NotAWord("The name or the state of the request is no single word.")
    if variables is None:
        return
    try:
        with variables.open("a", encoding="ascii") as file:
            file.write(f"HSMPUB_REQUEST={view.request}\nHSMPUB_STATE={view.state}\n")
    except OSError as e:
        raise NotWritten(f"{variables} cannot be written: {e.strerror}.") from None
