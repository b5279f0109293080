"""`hsmpub unseal`: hands in one holder's share, which only the keeper's process of this attempt can read."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from hsmpub.cli.options import DEFAULT_URL, CaFile, Pins, Url, connect
from hsmpub.cli.quorum_progress import progress_lines, waiting_line
from hsmpub.cli.say import say
from hsmpub.cli.visible import visible
from hsmpub.client.trust import keeper_identity
from hsmpub.errors import Invalid
from hsmpub.secret.page import wipe
from hsmpub.shares.holder import box_for_attempt

_MOST = 64 * 1024


class ShareNotRead(Invalid):
    advice = "Check the path."


def unseal(
    holder: Annotated[str, typer.Option("--holder", envvar="HSMPUB_HOLDER", help="Your name among the holders.")],
    share: Annotated[str, typer.Option("--share", help="Your share file; '-' reads decrypted words from the input.")],
    identity: Annotated[
        Path | None, typer.Option("--identity", help="Your private key that opens the share (age or SSH).")
    ] = None,
    url: Url = DEFAULT_URL,
    trust: Pins = None,
    ca_file: CaFile = None,
) -> None:
    """Hand in your share. It is decrypted here and encrypted to the keeper before it leaves this machine."""
    with connect(url, trust, ca_file) as client:
        attempt = client.attempt()
        held, private = _read(share, "'--share -' reads the words from standard input."), bytearray()
        try:
            private = _read(str(identity), "It is the key that opens your share.") if identity is not None else private
            box = box_for_attempt(held, private, attempt, holder, keeper_identity(client.trust))
        finally:
            wipe(held)
            wipe(private)
        reply = client.hand_in(attempt.attempt, holder, box)
    say(f"Accepted: the share of {visible(reply.holder)}.")
    if reply.state == "unsealed":
        say("The service is unsealed.")
        return
    for line in (*progress_lines(reply.group_threshold, reply.groups), waiting_line(reply.groups)):
        if line:
            say(line)


def _read(name: str, hint: str) -> bytearray:
    """A small file into memory that can be wiped. Raises ShareNotRead."""
    buffer = bytearray(_MOST)
    try:
        source = sys.stdin.fileno() if name == "-" else Path(name).expanduser()
        with open(source, "rb", buffering=0, closefd=name != "-") as file:
            size = 0  # a terminal gives one line at a time, a pipe what was written at once
            while size < _MOST and (count := file.readinto(memoryview(buffer)[size:])):
                size += count
        return buffer[:size]
    except OSError as e:
        raise ShareNotRead(f"{name} cannot be read: {e.strerror}.", next_step=f"Check the path. {hint}") from None
    finally:
        wipe(buffer)
