"""`hsmpub drill`: one holder's part in showing that a quorum could unseal, or restore. Nothing is unsealed."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from hsmpub.cli.options import DEFAULT_URL, CaFile, Pins, Url, connect
from hsmpub.cli.quorum_progress import progress_lines, waiting_line
from hsmpub.cli.say import say
from hsmpub.cli.share_file import Holder, Identity, Share, read_share
from hsmpub.cli.visible import visible
from hsmpub.client.trust import keeper_identity
from hsmpub.shares.drill import box_for_drill


class QuorumChoice(StrEnum):
    """Which shares."""

    unseal = "unseal"
    recovery = "recovery"


def drill(
    quorum: Annotated[QuorumChoice, typer.Option("--quorum", help="Whose shares: of the unseal or recovery quorum.")],
    holder: Holder,
    share: Share,
    identity: Identity = None,
    url: Url = DEFAULT_URL,
    trust: Pins = None,
    ca_file: CaFile = None,
) -> None:
    """Show that your share works, with the others of your quorum. It unseals and restores nothing."""
    with connect(url, trust, ca_file) as client:
        found = client.drill(quorum.value)
        with read_share(share, identity) as (held, private):
            box = box_for_drill(held, private, found, holder, keeper_identity(client.trust), quorum.value)
        reply = client.hand_in_drill(quorum.value, found.attempt, holder, box)
    say(f"Accepted: the share of {visible(reply.holder)}.")
    if reply.proven:
        say(f"The {quorum.value} quorum works. It opened: {', '.join(visible(name) for name in reply.proven)}.")
        say(f"Evidence: entry {reply.entry} of the log, {visible(reply.evidence)} in the home.")
        return
    for line in (*progress_lines(reply.group_threshold, reply.groups), waiting_line(reply.groups)):
        if line:
            say(line)
