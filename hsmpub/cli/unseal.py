"""`hsmpub unseal`: hands in one holder's share, which only the keeper's process of this attempt can read."""

from __future__ import annotations

from typing import Annotated

import typer

from hsmpub.cli.options import DEFAULT_URL, CaFile, Pins, Url, connect
from hsmpub.cli.quorum_progress import progress_lines, waiting_line
from hsmpub.cli.say import note, say
from hsmpub.cli.share_file import Holder, Identity, Share, read_share
from hsmpub.cli.unseal_terms import agreed_attempt, asked_terms
from hsmpub.cli.visible import visible
from hsmpub.client.trust import keeper_identity
from hsmpub.model.clock import rfc3339
from hsmpub.model.terms import UNLIMITED, say_terms
from hsmpub.shares.holder import box_for_attempt


def unseal(
    holder: Holder,
    share: Share,
    identity: Identity = None,
    period: Annotated[str, typer.Option("--for", help="Open for so long at most, such as 8h.")] = "",
    signatures: Annotated[int | None, typer.Option("--signatures", help="So many signatures at most.")] = None,
    project: Annotated[
        list[str] | None, typer.Option("--project", help="For this project only; may be repeated.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Agree to the terms that others began with.")] = False,
    url: Url = DEFAULT_URL,
    trust: Pins = None,
    ca_file: CaFile = None,
) -> None:
    """Hand in your share, under terms that you name or agree to.

    It is decrypted here and encrypted to the keeper before it leaves this machine. Shares under different terms do not
    come together; hand in again to change yours.
    """
    asked = asked_terms(period, signatures, project or [])
    with connect(url, trust, ca_file) as client:
        attempt = agreed_attempt(client, asked, yes=yes)
        with read_share(share, identity) as (held, private):
            box = box_for_attempt(held, private, attempt, holder, keeper_identity(client.trust))
        reply = client.hand_in(attempt, holder, box)
    say(f"Accepted: the share of {visible(reply.holder)}.")
    if reply.state == "unsealed":
        limits = "" if attempt.terms == UNLIMITED else f" {visible(say_terms(attempt.terms))}"
        say(f"The service is unsealed{limits}.")
        return
    for line in (*progress_lines(reply.group_threshold, reply.groups), waiting_line(reply.groups)):
        if line:
            say(line)
    note(f"The attempt ends at {rfc3339(attempt.expires_at)}; after that everybody hands in again.")
