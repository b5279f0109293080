"""`hsmpub sign`: routine signatures in one call, written beside the files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from os.path import realpath
from pathlib import Path
from typing import Annotated

import typer

from hsmpub.cli.options import DEFAULT_URL, Audience, CaFile, Pins, TokenCommand, TokenFile, Url, connect_ci
from hsmpub.cli.own_outputs import part_outputs
from hsmpub.cli.predicate import PredicateFile, PredicateType, read_predicate
from hsmpub.cli.progress import Started, bars
from hsmpub.cli.say import REFUSED, note, say
from hsmpub.cli.visible import visible
from hsmpub.client.batches import batches
from hsmpub.client.choosing import choose_formats
from hsmpub.client.client import Client
from hsmpub.client.embedding import stamped, write_signed
from hsmpub.client.outputs import check_folder, write_whole
from hsmpub.client.signing import Made, Work, digest_work
from hsmpub.client.timestamp import Timestamps, token_for
from hsmpub.client.timestamp_file import read_timestamp_file
from hsmpub.client.trust import pinned_key
from hsmpub.errors import HsmpubError, Problem, Refused, Unavailable
from hsmpub.formats.output_names import OutputNames
from hsmpub.formats.registry import FORMATS, get_format
from hsmpub.policy.lists import GIVEN_PREDICATE
from hsmpub.receipt.model import SUFFIX


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
    no_timestamp: Annotated[bool, typer.Option("--no-timestamp", help="Write without timestamps.")] = False,
    token_command: TokenCommand = "", token_file: TokenFile = None, audience: Audience = "",
    url: Url = DEFAULT_URL, trust: Pins = None, ca_file: CaFile = None,
) -> None:  # fmt: skip
    """Sign files that need no approval; only their hashes leave this machine. Writes FILE.asc and the like, and
    FILE.receipt.json, beside each file; a signature that goes into the file replaces the file as a whole, once it was
    read back. Signatures and receipts of files that are named, too, are left out. Exits with 1 if any file was not
    signed, and names it."""
    files, left_out = part_outputs(files)
    if left_out:
        note(f"Left out, for they belong to other files named here: {', '.join(map(str, left_out))}.")
    if output is not None:
        check_folder(output)
    failed: list[str] = []
    attest = read_predicate(predicate, predicate_type)
    formats = formats or ([GIVEN_PREDICATE] if attest else None)
    stamps = read_timestamp_file(timestamps) if timestamps and not no_timestamp else None
    choose = partial(choose_formats, asked=tuple(formats or ()), otherwise=tuple(otherwise or ()))
    with connect_ci(url, trust, ca_file, command=token_command, file=token_file, audience=audience) as client:
        for batch in batches(list(_ready(client, files, choose, send, output, failed)), attest):
            try:
                made = client.sign_batch(batch, project, key, attest)
            except HsmpubError as e:
                _note_refusal([work.path for work in batch], _problem(e), failed)
                continue
            _write(client, made, output, stamps, failed)
    if failed:
        note(f"Not signed: {', '.join(failed)}.")
        raise typer.Exit(REFUSED)


def _ready(
    client: Client, files: Sequence[Path], choose: Callable[[Path], tuple[str, ...]], send: bool, output: Path | None,
    failed: list[str],
) -> Iterator[Work]:  # fmt: skip
    """Each file with the formats that it takes; in no folder two signatures of one name, in whatever request."""
    names: defaultdict[str, OutputNames] = defaultdict(OutputNames)
    problems: list[tuple[Path, Problem]] = []  # said when the bars no longer hold the terminal
    with bars() as start:
        for path in files:
            try:
                formats = choose(path)
                names[realpath(output or path.parent)].take(path.name, formats)  # however the folder is named
                yield _work(client, path, formats, send, start)
            except HsmpubError as e:
                problems.append((path, _problem(e)))
    for path, problem in problems:
        _note_failure(path, problem, failed)


def _work(client: Client, path: Path, formats: tuple[str, ...], send: bool, start: Started) -> Work:
    progress = start(path.name, path.stat().st_size if path.is_file() else 0)
    if send:
        return client.upload_work(path, formats, progress=progress)
    return digest_work(path, formats, progress=progress)


def _write(
    client: Client, batch: list[Made], output: Path | None, stamps: Timestamps | None, failed: list[str]
) -> None:
    """1. says what was not made, 2. gets the batch's receipt, 3. checks that the log holds every output, 4. writes them
    file by file.

    A receipt that is only late keeps no signature back; one that does not verify keeps back all.
    """
    for one in batch:
        for problem in one.problems:
            _note_failure(one.path, problem, failed)
    batch = [one for one in batch if one.outputs]
    if not batch:
        return  # where nothing was made there is no receipt
    receipt, late = b"", None
    try:
        receipt = client.receipt_of(batch)
    except HsmpubError as e:
        late = _problem(e)
        if late.family != Unavailable.family:
            for one in batch:
                _note_failure(one.path, late, failed)
            return
    for one in batch:
        if late:
            _note_failure(one.path, late, failed)
        try:
            _write_one(client, one, output or one.path.parent, receipt, stamps)
        except HsmpubError as e:
            _note_failure(one.path, _problem(e), failed)


def _write_one(client: Client, made: Made, folder: Path, receipt: bytes, stamps: Timestamps | None) -> None:
    inside = {one.name for one in made.embedded}
    forms = {form.output_name(made.path.name): form for form in FORMATS.values()}
    tokens = {name: token_for(output, forms[name], stamps) for name, output in made.outputs.items()}
    for name, content in made.outputs.items():
        if name not in inside:
            say(str(write_whole(folder, name, stamped(content, tokens[name], forms[name]))))
    for one in made.embedded:
        form, key = get_format(one.format), pinned_key(client.trust, one.key)
        say(str(write_signed(made.path, folder, made.hash, one.output, form, key, tokens[one.name], made.seen)))
    if made.outputs and receipt:
        write_whole(folder, f"{made.path.name}{SUFFIX}", receipt)


def _problem(error: HsmpubError) -> Problem:
    return error.problem if isinstance(error, Refused) else Problem.of(error)


def _note_refusal(paths: Sequence[Path], problem: Problem, failed: list[str]) -> None:
    """One reason for many files is said once; the files are named at the end."""
    if len(paths) == 1:
        _note_failure(paths[0], problem, failed)
        return
    note(f"{len(paths)} files: {problem.detail} {problem.next_step}".rstrip())
    failed.extend(name for path in paths if (name := visible(str(path))) not in failed)


def _note_failure(path: Path, problem: Problem, failed: list[str]) -> None:
    note(f"{path}: {problem.detail} {problem.next_step}".rstrip())
    if visible(str(path)) not in failed:
        failed.append(visible(str(path)))
