"""What a holder signs with the share, without handing it in."""

from __future__ import annotations

from pathlib import Path

from hsmpub.cli.share_file import read_share
from hsmpub.client.client import Client
from hsmpub.errors import Invalid
from hsmpub.model.holder_act import act_to_sign
from hsmpub.shares.identity import open_share_file
from hsmpub.shares.verifier import sign_with_share
from hsmpub.wire.messages import NonceReply


class NonceOfAnother(Invalid):
    advice = "Check the address (--url) and the pins (--trust): they are of different services."


def signed(share: str, identity: Path | None, holder: str, kind: str, payload: bytes, epoch: int) -> bytes:
    """The holder's signature with their unseal share, which stays on this machine.

    Raises:
        ShareNotRead, and the rules of hsmpub.shares.
    """
    with read_share(share, identity) as (held, private):
        words = open_share_file(held, private)
        return sign_with_share(words, kind, payload, purpose="unseal", epoch=epoch, holder=holder)


def signed_act(
    client: Client, share: str, identity: Path | None, holder: str, kind: str, reason: str = ""
) -> tuple[NonceReply, bytes]:
    """A fresh nonce of the keeper and the holder's signature over it. Raises NonceOfAnother, and as `signed`."""
    nonce = client.nonce()
    if nonce.service != client.trust.service:
        raise NonceOfAnother("The service that answers is not the one in the pins.")
    payload = act_to_sign(nonce.service, nonce.nonce, reason)
    return nonce, signed(share, identity, holder, kind, payload, nonce.epoch)
