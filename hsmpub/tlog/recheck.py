"""A log that is open, looked at again: is the database still the one that this process wrote?"""

from __future__ import annotations

import secrets

from hsmpub.tlog.committer import Held
from hsmpub.tlog.head import HeadFile
from hsmpub.tlog.recovery import check_held
from hsmpub.tlog.rules import LogForeign
from hsmpub.tlog.store import Rows, is_own_stamp
from hsmpub.tlog.verified import VerifiedRows

#: Entries read back at random, beside the whole edge of the tree.
SAMPLE = 32


def recheck(rows: Rows, head: HeadFile, held: Held) -> None:
    """Checks, while the writer may be at work: the tree at the held size has the held root, with all its edge and a
    sample of entries below it, and the last commit is the keeper's own.

    Raises:
        LogTruncated, LogAltered, LogForked, LogForeign: it is not.
    """
    check_held(rows, held.size, held.root)
    verified = VerifiedRows(rows)  # with nothing remembered
    for _ in range(min(SAMPLE, held.size)):
        verified.entry(held, secrets.randbelow(held.size))
    before, stamp, after = rows.size(), rows.stamp(), rows.size()
    is_own = stamp is not None and stamp.size == after and is_own_stamp(head.key, stamp)
    if before == after and not is_own:  # otherwise a commit came in between
        raise LogForeign(f"The last commit of {after} entries was not made by this keeper.")
