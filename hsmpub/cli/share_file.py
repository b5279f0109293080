"""A holder's share and private key, read into memory that is wiped afterwards."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from hsmpub.errors import Invalid
from hsmpub.secret.page import wipe

Holder = Annotated[str, typer.Option("--holder", envvar="HSMPUB_HOLDER", help="Your name among the holders.")]
Share = Annotated[str, typer.Option("--share", help="Your share file; '-' reads decrypted words from the input.")]
Identity = Annotated[
    Path | None, typer.Option("--identity", help="Your private key that opens the share (age or SSH).")
]
_MOST = 64 * 1024


class ShareNotRead(Invalid):
    advice = "Check the path."


@contextmanager
def read_share(share: str, identity: Path | None) -> Iterator[tuple[bytearray, bytearray]]:
    """Share file (or words) and private key, wiped at the end. Raises ShareNotRead."""
    held, private = _read(share, "'--share -' reads the words from standard input."), bytearray()
    try:
        private = _read(str(identity), "It is the key that opens your share.") if identity is not None else private
        yield held, private
    finally:
        wipe(held)
        wipe(private)


def _read(name: str, hint: str) -> bytearray:
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
