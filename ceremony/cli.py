"""`hsmpub-ceremony`: the ceremonies, non-interactive; every refusal is one plain sentence with the next step."""

from __future__ import annotations

import shlex
import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ceremony.backup import make_backup
from ceremony.backup_check import open_backup
from ceremony.file import load_ceremony_file
from ceremony.genesis import run_genesis
from ceremony.inputs import read_checkpoint_note, read_file, read_secret_file, read_shares, read_trust
from ceremony.own_share import check_share
from ceremony.plan import load_plan, read_text
from ceremony.progress import step_printer
from ceremony.rehearsal import rehearse_genesis
from ceremony.restore import run_restore
from ceremony.transcript_check import check_transcript
from hsmpub.errors import HsmpubError
from hsmpub.home import Home
from hsmpub.model.clock import rfc3339
from hsmpub.sandbox import harden

app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None,
    help="Key ceremonies: one reviewed file in, a signed transcript out.",
)  # fmt: skip

HomeOption = Annotated[
    Path, typer.Option("--home", envvar="HSMPUB_HOME", help="Folder of the service.", show_default=True)
]
TrustOption = Annotated[
    Path, typer.Option("--trust", envvar="HSMPUB_TRUST", help="The service's pins: a copy of its trust.json.")
]


def run() -> None:
    """Entry point of the command."""
    try:
        app()
    except HsmpubError as error:
        _fail(f"{error.detail} {error.next_step}")
    except OSError as error:
        _fail(
            f"{error.strerror or error}: {error.filename or ''}. Nothing was kept; make room or choose another place."
        )


def _fail(sentence: str) -> None:
    print(f"hsmpub-ceremony: {sentence}", file=sys.stderr)
    sys.exit(1)


def _now() -> int:
    return int(time.time())


def _console(stderr: bool = False) -> Console:
    return Console(stderr=stderr, soft_wrap=True, highlight=False)


@app.command()
def genesis(
    ceremony: Annotated[Path, typer.Argument(help="The reviewed ceremony file (TOML).")],
    home: HomeOption = Path("home"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Rehearse with throw-away keys; leave nothing.")] = False,
) -> None:
    """Make the keys, the quorums and the home of a new service.

    A rehearsal prints its transcript on stdout, and its steps on stderr.
    """
    plan = load_plan(ceremony)
    protections = harden("keeper", network=plan.file.hsm.network and not dry_run)
    console = _console(stderr=dry_run)
    if dry_run:
        rehearsed = rehearse_genesis(plan, now=_now, told=step_printer(console), protections=protections)
        sys.stdout.write(rehearsed.transcript.decode())
        console.print("Rehearsed; nothing was kept.")
        return
    done = run_genesis(plan, home, now=_now, told=step_printer(console), protections=protections)
    console.print(f"\n{done.trust.service} is in {done.home}, sealed.")
    console.print(f"Give each holder their file from {done.home}/genesis/shares or genesis/recovery.")
    console.print(
        "Read the words of the fingerprints aloud; every participant keeps genesis/transcript.json and trust.json."
    )
    console.print("Then start it, and each holder hands in their share, any order, until enough are in:")
    console.print(f"    hsmpub serve --home {shlex.quote(str(done.home))}", markup=False)
    console.print("    hsmpub unseal --holder NAME --share NAME.age --identity PRIVATE-KEY --trust trust.json")


@app.command()
def backup(
    out: Annotated[Path, typer.Argument(help="The file to write (tar); it must not exist.")],
    home: HomeOption = Path("home"),
    artifacts: Annotated[bool, typer.Option("--artifacts", help="With the artifact store.")] = False,
) -> None:
    """Take a backup; no quorum is needed, and the service may run."""
    harden("keeper")
    manifest = make_backup(Home(home.resolve()), out.absolute(), now=_now(), artifacts=artifacts)
    console = _console()
    console.print(f"{out}: {len(manifest.files)} files, a log of {manifest.log_size} entries.")
    console.print("Its keys are sealed to the recovery quorum; keep it where the service's machine is not.")


@app.command()
def restore(
    backup: Annotated[Path, typer.Argument(help="A file of 'hsmpub-ceremony backup'.")],
    trust: TrustOption,
    share: Annotated[list[str], typer.Option("--share", help="HOLDER=FILE: a recovery share; FILE - is stdin.")],
    home: HomeOption = Path("home"),
    identity: Annotated[
        list[str] | None, typer.Option("--identity", help="HOLDER=FILE: the holder's private key, age or SSH.")
    ] = None,
    ceremony: Annotated[Path | None, typer.Option("--ceremony", help="New unseal holders, new HSM.")] = None,
    checkpoint: Annotated[
        Path | None, typer.Option("--checkpoint", help="Newest checkpoint known elsewhere: the backup must reach it.")
    ] = None,
) -> None:
    """Restore the keys into a fresh token, with a recovery quorum; the public keys stay the same."""
    pins = read_trust(trust)
    file = None if ceremony is None else load_ceremony_file(read_text(ceremony))
    known = None if checkpoint is None else read_checkpoint_note(checkpoint, pins)
    protections = harden("keeper", network=file is not None and file.hsm.network)
    shares = read_shares(share, identity or [])
    console = _console()
    with open_backup(backup, pins, known=known) as checked:
        done = run_restore(
            checked, pins, shares, home, now=_now, file=file, told=step_printer(console), protections=protections
        )
    console.print(f"\n{pins.service} is in {done.home}, sealed, in epoch {done.epoch}.")
    console.print(f"Give each holder their new share from {done.home}/restore-{done.epoch}/shares;")
    console.print("shares of earlier epochs open nothing any more. Never start the old instance again.")


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="A transcript.json, or a backup.")], trust: TrustOption
) -> None:  # fmt: skip
    """Check a transcript or a backup, offline, against the pinned keys."""
    pins, console = read_trust(trust), _console()
    head = read_file(file, 16)
    if not head.startswith(b"{"):
        with open_backup(file, pins) as checked:
            manifest = checked.manifest
            console.print(f"{file}: a backup of {pins.service}, taken {rfc3339(manifest.at)}, epoch {manifest.epoch},")
            console.print(f"{len(manifest.files)} files as signed, a log of {manifest.log_size} entries.")
        return
    transcript = check_transcript(read_file(file), pins)
    for step in transcript.steps:
        step_printer(console)(step)
    what = "a rehearsal of " if transcript.head.rehearsal else ""
    console.print(f"\n{file}: {what}the {transcript.head.ceremony} of {pins.service}, signed by log key and keeper.")


@app.command(name="check-share")
def check_own(
    share: Annotated[Path, typer.Argument(help="Your share file.")],
    transcript: Annotated[Path, typer.Option("--transcript", help="The ceremony's transcript.json.")],
    trust: TrustOption,
    holder: Annotated[str, typer.Option("--holder", help="Your name in the ceremony.")],
    identity: Annotated[Path, typer.Option("--identity", help="Your private key, age or SSH.")],
) -> None:
    """Check your own share against the transcript, without unsealing anything."""
    harden("keeper")
    checked = check_transcript(read_file(transcript), read_trust(trust))
    purpose, epoch = check_share(checked, holder, read_file(share), read_secret_file(identity))
    _console().print(f"This is the {purpose} share of {holder}, epoch {epoch}, as the ceremony made it.")


if __name__ == "__main__":
    run()
