"""`hsmpub-ceremony share …`: for holders, on their own machines."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from ceremony.commands.app import TrustOption, app, console
from ceremony.inputs import read_file, read_secret_file, read_trust
from ceremony.own_share import OwnShare, check_share
from ceremony.place import write_new
from hsmpub.sandbox import harden
from hsmpub.secret.page import wipe
from hsmpub.shares.channel import send
from hsmpub.shares.confirmation import dump_confirmation
from hsmpub.transcript.check import check_transcript

share_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="For holders: look at your own share.")
app.add_typer(share_app, name="share")

ShareArgument = Annotated[str, typer.Argument(help="Your share file; '-' reads decrypted words from the input.")]
TranscriptOption = Annotated[Path, typer.Option("--transcript", help="The ceremony's transcript.json.")]
HolderOption = Annotated[str, typer.Option("--holder", envvar="HSMPUB_HOLDER", help="Your name in the ceremony.")]
IdentityOption = Annotated[
    Path | None, typer.Option("--identity", help="Your private key, age or SSH; not needed for words.")
]


@share_app.command()
def check(
    share: ShareArgument,
    transcript: TranscriptOption,
    trust: TrustOption,
    holder: HolderOption,
    identity: IdentityOption = None,
    confirmation: Annotated[
        Path | None, typer.Option("--confirmation", help="Write your signed confirmation to this new file.")
    ] = None,
) -> None:
    """Check your own share against the transcript, without unsealing anything."""
    harden("keeper")
    with held_share(share, transcript, trust, holder, identity) as (own, file, key):
        signed = dump_confirmation(own.confirm(file, key)) if confirmation is not None else b""
    told = console()
    told.print(f"This is the {own.purpose} share of {holder}, epoch {own.epoch}, as the ceremony made it.")
    told.print(f"Fingerprint of the set: {own.facts.words(own.purpose)}")
    if confirmation is not None:
        write_new(confirmation, signed)
        told.print(f"It says that you have your share, and no more. Send it: hsmpub confirm {confirmation}")
        told.print("Or give the file to whoever leads the ceremony.")


@share_app.command()
def card(
    share: ShareArgument,
    out: Annotated[str, typer.Option("--out", help="New PDF file, best in memory; '-' is standard output.")],
    transcript: TranscriptOption,
    trust: TrustOption,
    holder: HolderOption,
    identity: IdentityOption = None,
) -> None:
    """Make a printable card of your own share, checked first. It holds the share in clear: print, then destroy it."""
    harden("keeper")
    with held_share(share, transcript, trust, holder, identity) as (own, file, key):
        pdf = own.card(file, key)
    try:
        if out == "-":
            send(sys.stdout.fileno(), pdf)
        else:
            write_new(Path(out), memoryview(pdf), 0o600)
    finally:
        wipe(pdf)
    console(stderr=True).print("Print it, check the paper with 'share check -', then destroy the file.")


@contextmanager
def held_share(
    share: str, transcript: Path, trust: Path, holder: str, identity: Path | None
) -> Iterator[tuple[OwnShare, bytearray, bytearray]]:
    """The share, checked, with what was read: its file (or words) and the private key's; wiped at the end.

    Raises:
        What reading, check_transcript and check_share raise.
    """
    checked = check_transcript(read_file(transcript), read_trust(trust))
    file = _read_words() if share == "-" else read_secret_file(Path(share))
    key = read_secret_file(identity) if identity is not None else bytearray()
    try:
        yield check_share(checked, holder, file, key), file, key
    finally:
        wipe(file)
        wipe(key)


def _read_words() -> bytearray:
    """What is typed or piped, until the end of the input."""
    data, size = bytearray(1 << 16), 0
    with open(sys.stdin.fileno(), "rb", buffering=0, closefd=False) as file:
        while size < len(data) and (got := file.readinto(memoryview(data)[size:])):
            size += got
    del data[size:]
    return data
