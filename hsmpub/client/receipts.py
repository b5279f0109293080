"""Receipts as they come from the service: believed only once they verify against the pinned log key."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from hsmpub import receipt as receipts
from hsmpub.errors import Broken
from hsmpub.model.trust import Trust, known_keys

if TYPE_CHECKING:
    from hsmpub.receipt import Report


class OutputNotInLog(Broken):
    advice = "Use nothing of it: the service gave a signature that its log does not hold."


def check_receipt(receipt: bytes, trust: Trust, outputs: Collection[str] = ()) -> Report:
    """The receipt verifies, and records every one of these outputs.

    Args:
        outputs: SHA-256 of signatures that were given out, hex.

    Raises:
        OutputNotInLog, and what verify_receipt raises.
    """
    report = receipts.verify_receipt(receipt, trust.log_key, pinned=known_keys(trust))
    missing = set(outputs) - {seen.sha256 for seen in report.signatures}
    if missing:
        raise OutputNotInLog(f"{len(missing)} signatures are not in the log as the receipt shows it.")
    return report
