"""Restore: from a backup and a recovery quorum to a fresh token with the same keys, in a new epoch of unseal shares.

1 the backup is checked against the pinned keys; its log continues every checkpoint that is known
2 recovery holders hand in their shares; a child process opens wrapping key and keeper identity
3 a fresh token gets a new random PIN and SO PIN; the keys move in, and must be the pinned ones
4 a new unseal secret is split: the shares of the old epoch open nothing here
5 files of the backup are taken over; records, configuration and shares are written
6 the transcript is signed by the log key in the fresh token and by the keeper's identity
7 the log goes on with the end of keys that were born after the backup, if there are any, and the entry `restore`; a
  checkpoint is signed
8 the home is moved into place; it starts sealed
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ceremony import birth
from ceremony.backup_check import Backup
from ceremony.cards import open_cards
from ceremony.file import CeremonyFile
from ceremony.gather import ShareAtHand
from ceremony.lost_entries import After
from ceremony.module_check import check_module
from ceremony.place import OutputNotWritten, Place, check_free
from ceremony.restoring import Restoring
from hsmpub.model.trust import Trust
from hsmpub.shares.record import plan_of
from hsmpub.shares.record_file import load_unseal_record
from hsmpub.transcript.record import Recorder, Step

NOTHING_AFTER = After()


@dataclass(frozen=True)
class Restored:
    """What came of it. transcript: the exact bytes of home/restore-<epoch>/transcript.json."""

    home: Path
    epoch: int
    transcript: bytes


def run_restore(
    backup: Backup,
    trust: Trust,
    shares: Sequence[ShareAtHand],
    home: Path,
    *,
    now: Callable[[], int],
    file: CeremonyFile | None = None,
    after: After = NOTHING_AFTER,
    vendor_token: bool = False,
    rehearsal: bool = False,
    told: Callable[[Step], None] = lambda step: None,
    protections: Mapping[str, str] | None = None,
    cards: Path | None = None,
) -> Restored:
    """Runs the whole ceremony.

    Args:
        backup: of open_backup, which has checked it against `trust`.
        shares: of the recovery holders; their private keys are wiped.
        file: who holds the new unseal shares, and the HSM; None: the holders, keys and HSM of the backup.
        after: what the log had after the backup; its entries are taken over, or their loss is logged.
        vendor_token: the HSM's maker's means have restored the token; its keys are not imported.
        now, told, protections, rehearsal, cards: as for run_genesis.

    Raises:
        OutputNotWritten: nothing was kept.
        HomeExists, CeremonyUnfinished, ModuleUnfit: before anything is done.
        TooFewHolders and the rules of a refused share: nothing was opened.
        RestoredKeysDiffer: nothing was kept.
        VendorTokenIsEmbedded, and those of take_vendor_token.
        TokenExists and the other rules of hsmpub.hsm, hsmpub.shares, hsmpub.tlog: nothing was kept, but for the new
            token in an HSM other than SoftHSM.
    """
    check_free(home)
    if file is not None and not vendor_token:
        check_module(file.hsm)
    recorder = Recorder("restore", trust.service, now, told, rehearsal)
    old = load_unseal_record(backup.read("keeper/unseal.json"))
    plan = file.unseal.plan if file is not None else plan_of(old)
    try:
        with (
            open_cards(cards, home, trust.service, {"unseal": plan}) as to_print,
            Place(home) as place,
            birth.open_secrets() as secrets,
        ):
            ceremony = Restoring(backup, trust, file, after, vendor_token, place, recorder, secrets, now(), plan,
                                 to_print["unseal"])  # fmt: skip
            epoch, transcript = ceremony.run(shares, dict(protections or {}))
            place.finish()
    except OSError as error:
        raise OutputNotWritten(f"The home cannot be written: {error.strerror or error}.") from None
    return Restored(place.home, epoch, transcript)
