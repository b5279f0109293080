"""`hsmpub sign`: routine signatures in one call, written beside the files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from os.path import realpath
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hsmpub.cli.begun import finish_hash
from hsmpub.cli.options import DEFAULT_URL, Audience, CaFile, Pins, TokenCommand, TokenFile, Url, connect_ci
from hsmpub.cli.own_outputs import part_outputs
from hsmpub.cli.predicate import PredicateFile, PredicateType, read_predicate
from hsmpub.cli.progress import Started, bars
from hsmpub.cli.refusals import Refusals, problem_of
from hsmpub.cli.say import REFUSED, note
from hsmpub.client.batches import batches
from hsmpub.client.choosing import choose_formats
from hsmpub.client.client import Client
from hsmpub.client.outputs import check_folder
from hsmpub.client.signing import Work, digest_work
from hsmpub.errors import HsmpubError, Invalid
from hsmpub.formats.intoto.given import GivenAttestation
from hsmpub.formats.output_names import OutputNames
from hsmpub.formats.registry import FORMATS, get_format

if TYPE_CHECKING:
    from hsmpub.client.signing import Made
    from hsmpub.client.timestamp import Timestamps

    WriteMade = Callable[[Client, list[Made], Path | None, Timestamps | None, Refusals], None]


class NothingSigned(Invalid):
    advice = "Leave them out, or sign the others alone with --keep-going."


def sign(
    files: Annotated[list[Path], typer.Argument(help="The files to sign.")],
    project: Annotated[str, typer.Option("--project", envvar="HSMPUB_PROJECT")],
    formats: Annotated[
        list[str] | None,
        typer.Option("--format", help=f"Which signature: {', '.join(FORMATS)}; may be given more than once. "
                     "Without it, the format that the file's content asks for."),
    ] = None,
    otherwise: Annotated[
        list[str] | None,
        typer.Option("--otherwise", help="As --format, for those of the files whose content asks for no format."),
    ] = None,
    key: Annotated[str, typer.Option("--signing-key", help="The key's name, where the policy leaves a choice.")] = "",
    send: Annotated[bool, typer.Option("--upload", help="Send the files, not only their hashes.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", help="Folder for what is written; otherwise beside each file.")
    ] = None,
    timestamps: Annotated[
        Path | None, typer.Option("--timestamps", envvar="HSMPUB_TIMESTAMPS", help="File that names the timestamp "
                                  "authorities; what can hold a timestamp is written with one, or not at all.")
    ] = None,
    predicate: PredicateFile = None, predicate_type: PredicateType = "",
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Where some files cannot be signed, sign the others.")
    ] = False,
    no_timestamp: Annotated[bool, typer.Option("--no-timestamp", help="Write without timestamps.")] = False,
    token_command: TokenCommand = "", token_file: TokenFile = None, audience: Audience = "",
    url: Url = DEFAULT_URL, trust: Pins = None, ca_file: CaFile = None,
) -> None:  # fmt: skip
    """Sign files that need no approval; only their hashes leave this machine. Writes FILE.asc and the like, and
    FILE.receipt.json, beside each file; a signature that goes into the file replaces the file as a whole, once it was
    read back. Signatures and receipts of files that are named, too, are left out. All files are looked at before
    anything is signed: where one cannot be, nothing is, but with --keep-going. Exits with 1 if any file was not
    signed, and names it."""
    files, left_out = part_outputs(files)
    if left_out:
        note(f"Left out, for they belong to other files named here: {', '.join(map(str, left_out))}.")
    if output is not None:
        check_folder(output)
    refused = Refusals()
    attest = read_predicate(predicate, predicate_type)
    formats = formats or ([GivenAttestation.name] if attest else None)
    stamps = _read_stamps(timestamps) if timestamps and not no_timestamp else None
    chosen = _chosen(files, tuple(formats or ()), tuple(otherwise or ()), output, refused)
    _check_all(refused, len(files), keep_going)
    with (
        connect_ci(url, trust, ca_file, command=token_command, file=token_file, audience=audience) as client,
        refused.told(),
    ):
        write_made = _import_writing()
        works = list(_ready(client, chosen, send, refused))
        _check_all(refused, len(files), keep_going)
        for batch in batches(works, attest):
            try:
                made = client.sign_batch(batch, project, key, attest)
            except HsmpubError as e:
                refused.add_all([work.path for work in batch], problem_of(e))
                continue
            write_made(client, made, output, stamps, refused)
    if refused:
        note(f"Not signed: {', '.join(refused.names)}.")
        raise typer.Exit(REFUSED)


def _read_stamps(path: Path) -> Timestamps:
    from hsmpub.client.timestamp_file import read_timestamp_file

    return read_timestamp_file(path)


def _import_writing() -> WriteMade:
    """What is needed when the service has answered, imported no sooner: a large file's hash is made meanwhile, and a
    receipt waits for a checkpoint that comes no sooner than a tenth of a second after that of the session."""
    from hsmpub.cli.sign_write import write_made

    import_module("hsmpub.receipt.verify")
    return write_made


def _chosen(
    files: Sequence[Path], formats: tuple[str, ...], otherwise: tuple[str, ...], output: Path | None, refused: Refusals
) -> list[tuple[Path, tuple[str, ...]]]:
    """Each file with the formats that it takes; in no folder two signatures of one name, in whatever request.

    Raises UnknownFormat.
    """
    for name in (*formats, *otherwise):
        get_format(name)
    names: defaultdict[str, OutputNames] = defaultdict(OutputNames)
    chosen = []
    for path in files:
        try:
            taken = choose_formats(path, formats, otherwise)
            names[realpath(output or path.parent)].take(path.name, taken)  # however the folder is named
            chosen.append((path, taken))
        except HsmpubError as e:
            refused.add(path, problem_of(e))
    return chosen


def _check_all(refused: Refusals, count: int, keep_going: bool) -> None:
    """What cannot be signed is known before anything is. Raises NothingSigned."""
    names = refused.names
    if not names or (keep_going and len(names) < count):
        return
    refused.say()
    if len(names) == count:
        raise NothingSigned(f"Not signed: {', '.join(names)}.", next_step="")
    raise NothingSigned(f"Nothing was signed, for {len(names)} of {count} files cannot be: {', '.join(names)}.")


def _ready(
    client: Client, chosen: Sequence[tuple[Path, tuple[str, ...]]], send: bool, refused: Refusals
) -> Iterator[Work]:
    """Each file, hashed or uploaded."""
    with bars() as start:
        for path, formats in chosen:
            try:
                yield _work(client, path, formats, send, start)
            except HsmpubError as e:
                refused.add(path, problem_of(e))


def _work(client: Client, path: Path, formats: tuple[str, ...], send: bool, start: Started) -> Work:
    progress = start(path.name, path.stat().st_size if path.is_file() else 0)
    if send:
        return client.upload_work(path, formats, progress=progress)
    return digest_work(path, formats, progress=progress, begun=finish_hash)
