"""`hsmpub credential seal`: a publishing credential goes to the keeper, and no human reads it back."""

from __future__ import annotations

import base64
import contextlib
import sys
import termios
from collections.abc import Iterator
from typing import Annotated

import typer

from hsmpub.cli.options import DEFAULT_URL, Agent, CaFile, Key, Person, Pins, Url, connect
from hsmpub.cli.person import fresh, say_outcome, submit
from hsmpub.cli.say import note
from hsmpub.errors import Invalid
from hsmpub.model.personal import AskCredential, credential_info
from hsmpub.secret.box import seal_box
from hsmpub.secret.page import wipe

app = typer.Typer(help="Seal publishing credentials, so that nobody reads them.", no_args_is_help=True)
MAX_BYTES = 16 * 1024


class CredentialUnfit(Invalid):
    advice = "Pipe the credential in, or type it at the prompt."


@app.callback()
def _group() -> None:
    """Keeps `seal` a sub-command while it is the only one."""


@app.command()
def seal(
    name: Annotated[str, typer.Argument(help="The credential's name, as targets in the policy call it.")],
    person: Person, key: Key, agent: Agent = False, url: Url = DEFAULT_URL, trust: Pins = None, ca_file: CaFile = None,
) -> None:  # fmt: skip
    """Read a credential from standard input or a prompt without echo, and seal it to the keeper's HSM."""
    with connect(url, trust, ca_file) as client:
        intake = client.intake_key()
        secret = _read()
        try:
            box = seal_box(intake, credential_info(name), secret)
        finally:
            wipe(secret)
        nonce, at = fresh()
        ask = AskCredential(person=person, nonce=nonce, at=at, name=name, box=base64.b64encode(box).decode())
        say_outcome(submit(client, ask, key, agent))


def _read() -> bytearray:
    """The credential, without a line end. The caller wipes it. Raises CredentialUnfit."""
    buffer = bytearray(MAX_BYTES + 1)
    terminal = sys.stdin.isatty()
    if terminal:
        note("The credential (not shown), then Enter:")
    try:
        with _no_echo() if terminal else contextlib.nullcontext():
            length = _fill(buffer, until_line=terminal)
        while length and buffer[length - 1] in b"\r\n":
            length -= 1
        if not 0 < length <= MAX_BYTES:
            raise CredentialUnfit(f"The credential is empty or over {MAX_BYTES:,} bytes.")
        return bytearray(memoryview(buffer)[:length])
    finally:
        wipe(buffer)


def _fill(buffer: bytearray, *, until_line: bool) -> int:
    """Reads straight from the descriptor: no buffer of Python's keeps a copy."""
    length, view = 0, memoryview(buffer)
    with open(sys.stdin.fileno(), "rb", buffering=0, closefd=False) as source:
        while length < len(buffer) and (count := source.readinto(view[length:])):
            length += count
            if until_line and buffer[length - 1] == 0x0A:
                break
    return length


@contextlib.contextmanager
def _no_echo() -> Iterator[None]:
    fd = sys.stdin.fileno()
    before = termios.tcgetattr(fd)
    silent = [*before]
    silent[3] &= ~termios.ECHO
    termios.tcsetattr(fd, termios.TCSAFLUSH, silent)
    try:
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSAFLUSH, before)
        note("")
