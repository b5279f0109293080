"""`hsmpub unseal`: hands in one holder's share, which only the keeper's process of this attempt can read."""

from __future__ import annotations

from hsmpub.cli.options import DEFAULT_URL, CaFile, Pins, Url, connect
from hsmpub.cli.quorum_progress import progress_lines, waiting_line
from hsmpub.cli.say import say
from hsmpub.cli.share_file import Holder, Identity, Share, read_share
from hsmpub.cli.visible import visible
from hsmpub.client.trust import keeper_identity
from hsmpub.shares.holder import box_for_attempt


def unseal(
    holder: Holder,
    share: Share,
    identity: Identity = None,
    url: Url = DEFAULT_URL,
    trust: Pins = None,
    ca_file: CaFile = None,
) -> None:
    """Hand in your share. It is decrypted here and encrypted to the keeper before it leaves this machine."""
    with connect(url, trust, ca_file) as client:
        attempt = client.attempt()
        with read_share(share, identity) as (held, private):
            box = box_for_attempt(held, private, attempt, holder, keeper_identity(client.trust))
        reply = client.hand_in(attempt.attempt, holder, box)
    say(f"Accepted: the share of {visible(reply.holder)}.")
    if reply.state == "unsealed":
        say("The service is unsealed.")
        return
    for line in (*progress_lines(reply.group_threshold, reply.groups), waiting_line(reply.groups)):
        if line:
            say(line)
