"""A restore that leaves nothing: its steps on a throw-away service with the same holders and quorums as the backup's.

The real backup is checked whole before, and so are the real recovery shares, where they are handed in: a child proves
that they open it, as in a drill, and releases nothing. No production key comes near the throw-away token.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from ceremony.backup import make_backup
from ceremony.backup_check import Backup, open_backup
from ceremony.gather import ShareAtHand
from ceremony.restore import Restored, run_restore
from ceremony.standing.stand import Layout, make_stand
from hsmpub.model.trust import Trust, load_trust
from hsmpub.scratch import scratch_folder
from hsmpub.secret.page import wipe
from hsmpub.shares.drill import DrillAttempt
from hsmpub.shares.record import RecoveryRecord
from hsmpub.shares.record_file import load_recovery_record, load_unseal_record
from hsmpub.transcript.check import keeper_public
from hsmpub.transcript.record import Step

_LIFETIME = 600  # seconds


def prove_shares(backup: Backup, trust: Trust, shares: Sequence[ShareAtHand], *, now: int) -> tuple[str, ...]:
    """Recovery shares against a checked backup; their private keys are wiped. Returns what they were shown to open.

    Raises:
        TooFewHolders, the rules of a refused share, BackupNotProven, RecoveryBoxAltered.
    """
    record = load_recovery_record(backup.read("keeper/recovery.json"))
    try:
        return asyncio.run(_prove(record, shares, keeper_public(trust), now))
    finally:
        for share in shares:
            wipe(share.identity)


async def _prove(record: RecoveryRecord, shares: Sequence[ShareAtHand], keeper_key: bytes, now: int) -> tuple[str, ...]:
    drill = await DrillAttempt.start_drill(record, now=now, lifetime=_LIFETIME, keeper_key=keeper_key)
    try:
        for share in shares:
            await drill.hand_in_file(share.holder, share.file, share.identity)
        return drill.proven()
    finally:
        await drill.close()


def rehearse_restore(
    backup: Backup,
    trust: Trust,
    *,
    now: Callable[[], int],
    told: Callable[[Step], None] = lambda step: None,
    protections: Mapping[str, str] | None = None,
) -> Restored:
    """Runs every step of a restore with throw-away keys. The transcript says that it was a rehearsal.

    Raises as run_restore does.
    """
    assert backup.state.policy is not None  # a checked backup has both
    assert backup.state.roster is not None
    layout = Layout(
        trust,
        load_unseal_record(backup.read("keeper/unseal.json")),
        load_recovery_record(backup.read("keeper/recovery.json")),
        None,
        backup.state.policy.text,
        backup.state.roster.text,
    )
    with scratch_folder("hsmpub-rehearsal-") as folder:
        stand = make_stand(layout, folder, now)
        make_backup(stand.home, folder / "backup.tar", now=now())
        pins = load_trust(stand.home.trust.read_bytes())
        with open_backup(folder / "backup.tar", pins, folder=folder) as other:
            return run_restore(
                other, pins, stand.at_hand().recovery, folder / "restored", now=now, told=told,
                protections=protections, rehearsal=True,
            )  # fmt: skip
