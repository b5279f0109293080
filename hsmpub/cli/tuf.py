"""`hsmpub tuf …`: a TUF repository in a folder, its metadata signed by the service."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hsmpub.cli.options import DEFAULT_URL, Audience, CaFile, Pins, TokenCommand, TokenFile, Url, connect_ci, pins
from hsmpub.cli.say import REFUSED, note, say
from hsmpub.errors import Unavailable

if TYPE_CHECKING:  # python-tuf is optional
    from hsmpub.client.tuf.repository import Repository

app = typer.Typer(help="Write a TUF repository, and keep its metadata fresh.", no_args_is_help=True)
Where = Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder with tuf.toml.", exists=True, file_okay=False)]
Commit = Annotated[str, typer.Option("--commit", help="Commit of the repository that holds tuf.toml, for requests that "
                                     "take approvals; otherwise the metadata's digest stands there.")]  # fmt: skip


class TufSupportMissing(Unavailable):
    advice = "Install 'hsmpub[tuf]'."
    retry_is_safe = False


class TufIncomplete(Unavailable):
    advice = "Have the requests approved, then 'hsmpub tuf publish' goes on from there."


@app.command()
def init(
    folder: Where, commit: Commit = "", token_command: TokenCommand = "", token_file: TokenFile = None,
    audience: Audience = "", url: Url = DEFAULT_URL, trust: Pins = None, ca_file: CaFile = None,
) -> None:  # fmt: skip
    """Begin a repository: the first root, and targets without a file."""
    with _opened(folder, url, trust, ca_file, token_command, token_file, audience, commit) as repository:
        repository.begin()
        _publish(repository)


@app.command()
def targets(
    folder: Where,
    files: Annotated[list[Path] | None, typer.Argument(help="Files that clients may fetch.")] = None,
    remove: Annotated[list[str] | None, typer.Option("--remove", help="Name of a target to leave out.")] = None,
    commit: Commit = "", token_command: TokenCommand = "", token_file: TokenFile = None, audience: Audience = "",
    url: Url = DEFAULT_URL, trust: Pins = None, ca_file: CaFile = None,
) -> None:  # fmt: skip
    """Add files, in place of those of the same name, or leave some out; without either, the targets only expire later.
    Files that are left out stay in the folder."""
    with _opened(folder, url, trust, ca_file, token_command, token_file, audience, commit) as repository:
        repository.change_targets(files or (), remove or ())
        _publish(repository)


@app.command()
def root(
    folder: Where, commit: Commit = "", token_command: TokenCommand = "", token_file: TokenFile = None,
    audience: Audience = "", url: Url = DEFAULT_URL, trust: Pins = None, ca_file: CaFile = None,
) -> None:  # fmt: skip
    """Make the next root with the keys of tuf.toml; keys that leave sign it once more ('leaving')."""
    with _opened(folder, url, trust, ca_file, token_command, token_file, audience, commit) as repository:
        repository.change_root()
        _publish(repository)


@app.command()
def publish(
    folder: Where, commit: Commit = "", token_command: TokenCommand = "", token_file: TokenFile = None,
    audience: Audience = "", url: Url = DEFAULT_URL, trust: Pins = None, ca_file: CaFile = None,
) -> None:  # fmt: skip
    """Go on with what waits for signatures; publish what has them all."""
    with _opened(folder, url, trust, ca_file, token_command, token_file, audience, commit) as repository:
        _publish(repository)


@app.command()
def refresh(
    folder: Where,
    within: Annotated[float | None, typer.Option(help="Hours before expiry; otherwise 'renew' of tuf.toml.")] = None,
    past: Annotated[int, typer.Option(help="Versions begin after this one.", min=0)] = 0,
    token_command: TokenCommand = "", token_file: TokenFile = None, audience: Audience = "",
    url: Url = DEFAULT_URL, trust: Pins = None, ca_file: CaFile = None,
) -> None:  # fmt: skip
    """Sign snapshot and timestamp anew where they expire soon; otherwise do nothing. For a timer."""
    with _opened(folder, url, trust, ca_file, token_command, token_file, audience) as repository:
        try:
            repository.refresh(None if within is None else round(within * 3600), past)
        finally:
            _warn(repository)


@app.command()
def status(folder: Where) -> None:
    """Show versions and expiry of every role. Exits with 1 where one expires soon."""
    _check_support()
    from hsmpub.client.tuf.expiry import standings
    from hsmpub.client.tuf.folder import Folder
    from hsmpub.client.tuf.settings import read_settings

    held, settings = Folder(folder), read_settings(folder)
    with held.locked():
        found = standings(held, settings, datetime.now(UTC))
        for one in found:
            say(one.sentence)
        targets = held.latest("targets")
        for name, target in sorted(targets.signed.targets.items()) if targets else ():
            say(f"  {name}  {target.length:,} bytes  sha256 {target.hashes['sha256']}")
        for staged in held.all_staged():
            say(f"waits for signatures: {staged.role} of version {staged.version}")
    if any(one.is_due for one in found):
        raise typer.Exit(REFUSED)


@app.command()
def discard(folder: Where) -> None:
    """Drop what waits for signatures. Decline its requests, too: they would still be signed."""
    _check_support()
    from hsmpub.client.tuf.folder import Folder

    held = Folder(folder)
    with held.locked():
        for staged in held.all_staged():
            held.unstage(staged)
            say(f"Dropped: {staged.role} of version {staged.version}.")


@contextmanager
def _opened(
    folder: Path, url: str, trust: Path | None, ca_file: Path | None, command: str, token: Path | None, audience: str,
    commit: str = "",
) -> Iterator[Repository]:  # fmt: skip
    _check_support()
    from hsmpub.client.tuf.folder import Folder
    from hsmpub.client.tuf.repository import Repository
    from hsmpub.client.tuf.settings import read_settings
    from hsmpub.client.tuf.signer import Asking

    held, settings = Folder(folder), read_settings(folder)
    with held.locked():
        asking = Asking(
            lambda: connect_ci(url, trust, ca_file, command=command, file=token, audience=audience),
            pins(trust),
            lambda name, receipt: held.write(held.receipts, name, receipt),
            commit,
        )
        with asking:
            yield Repository(held, settings, asking, datetime.now(UTC), say)


def _publish(repository: Repository) -> None:
    complete = repository.publish()
    _warn(repository)
    if not complete:
        raise TufIncomplete("Not everything is signed yet.")


def _warn(repository: Repository) -> None:
    from hsmpub.client.tuf.expiry import OFFLINE, standings

    for one in standings(repository.folder, repository.settings, repository.now):
        if one.role in OFFLINE and one.version and one.is_due:
            note(f"Warning: {one.sentence}.")


def _check_support() -> None:
    if find_spec("tuf") is None:
        raise TufSupportMissing("TUF repositories are written with python-tuf, which is not installed.")
