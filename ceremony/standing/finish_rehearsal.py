"""Before a reshare's second step can be rehearsed, its first one is held on the stand, and the new holders confirm."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ceremony.standing.file import load_standing_file
from ceremony.standing.finish_file import FinishFile, check_named
from ceremony.standing.hold import hold
from ceremony.standing.kind import Papers
from ceremony.standing.quorum import AtHand
from ceremony.standing.reshare import RESHARE, ReshareFile
from ceremony.standing.stand import Layout, Stand, enough_of, table_of
from hsmpub.shares.confirmation import confirm_with_share
from hsmpub.shares.facts import facts_of
from hsmpub.shares.identity import open_share_file
from hsmpub.shares.pending import load_pending
from hsmpub.shares.record import Purpose


def prepare_finish(
    stand: Stand, papers: Papers[FinishFile], layout: Layout, now: Callable[[], int]
) -> tuple[Papers[FinishFile], AtHand]:
    """Holds the first step on a rehearsal's stand, and lets its holders confirm."""
    pending = check_named(layout.pending, papers.file)
    tables = {purpose: table_of(record, stand.keys) for purpose, record in pending.records().items()}
    file = ReshareFile.model_validate({"ceremony": "reshare", "service": layout.trust.service, **tables})
    first = hold(RESHARE, Papers("", file, {}), stand.home, stand.at_hand(), now=now, rehearsal=True)
    text = (first.folder / "finish.toml").read_text()
    made = load_pending(stand.home.pending_sets.read_bytes())
    old = stand.at_hand()
    folders: dict[Purpose, Path] = {"unseal": first.folder / "shares", "recovery": first.folder / "recovery"}
    new = {purpose: stand.shares(enough_of(record), folders[purpose]) for purpose, record in made.records().items()}
    confirmations = [
        confirm_with_share(open_share_file(share.file, share.identity), purpose, facts_of(record), share.holder)
        for purpose, record in made.records().items()
        for share in stand.shares([holder.name for holder in record.holders], folders[purpose])
    ]
    at_hand = AtHand(new.get("unseal", old.unseal), new.get("recovery", old.recovery), confirmations)
    return Papers(text, load_standing_file(text, "reshare-finish", FinishFile), {}), at_hand
