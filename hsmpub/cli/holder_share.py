"""A holder's share file and private key, and what is signed with the share without handing it in."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from hsmpub.client.client import Client
from hsmpub.errors import Invalid
from hsmpub.model.holder_act import act_to_sign
from hsmpub.secret.page import wipe
from hsmpub.shares.identity import open_share_file
from hsmpub.shares.verifier import sign_with_share
from hsmpub.wire.messages import NonceReply

_MOST = 64 * 1024
Holder = Annotated[str, typer.Option("--holder", envvar="HSMPUB_HOLDER", help="Your name among the holders.")]
Share = Annotated[str, typer.Option("--share", help="Your share file; '-' reads decrypted words from the input.")]
Identity = Annotated[
    Path | None, typer.Option("--identity", help="Your private key that opens the share (age or SSH).")
]


class ShareNotRead(Invalid):
    advice = "Check the path."


class NonceOfAnother(Invalid):
    advice = "Check the address (--url) and the pins (--trust): they are of different services."


def read_secret(name: str, hint: str) -> bytearray:
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


def signed(share: str, identity: Path | None, holder: str, kind: str, payload: bytes, epoch: int) -> bytes:
    """The holder's signature with their unseal share, which stays on this machine.

    Raises:
        ShareNotRead, and the rules of hsmpub.shares.
    """
    held, private = read_secret(share, "'--share -' reads the words from standard input."), bytearray()
    try:
        private = read_secret(str(identity), "It is the key that opens your share.") if identity else private
        words = open_share_file(held, private)
        return sign_with_share(words, kind, payload, purpose="unseal", epoch=epoch, holder=holder)
    finally:
        wipe(held)
        wipe(private)


def signed_act(
    client: Client, share: str, identity: Path | None, holder: str, kind: str, reason: str = ""
) -> tuple[NonceReply, bytes]:
    """A fresh nonce of the keeper and the holder's signature over it. Raises NonceOfAnother, and as `signed`."""
    nonce = client.nonce()
    if nonce.service != client.trust.service:
        raise NonceOfAnother("The service that answers is not the one in the pins.")
    payload = act_to_sign(nonce.service, nonce.nonce, reason)
    return nonce, signed(share, identity, holder, kind, payload, nonce.epoch)
