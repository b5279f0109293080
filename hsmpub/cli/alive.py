"""`hsmpub alive`: a holder says that they are there, so that the dead-man's interval starts anew."""

from __future__ import annotations

from hsmpub.cli.holder_share import signed_act
from hsmpub.cli.options import DEFAULT_URL, CaFile, Pins, Url, connect
from hsmpub.cli.say import say
from hsmpub.cli.share_file import Holder, Identity, Share
from hsmpub.cli.visible import visible
from hsmpub.model.clock import rfc3339


def alive(
    holder: Holder, share: Share, identity: Identity = None, url: Url = DEFAULT_URL, trust: Pins = None,
    ca_file: CaFile = None,
) -> None:  # fmt: skip
    """Say that you are there, with a signature by your share. The share stays on this machine.

    Without a word from any holder the service seals after the interval that the policy sets.
    """
    with connect(url, trust, ca_file) as client:
        nonce, signature = signed_act(client, share, identity, holder, "alive")
        client.say_alive(holder, nonce.nonce, signature)
        found = client.status()
    say(f"Noted: {visible(holder)} is there.")
    if found.dead_man_at is not None:
        say(f"Without a word from any holder the service seals at {rfc3339(found.dead_man_at)}.")
