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


class ReceiptOfAnother(Broken):
    advice = "Use nothing of it: what was made for another request would be taken for this one's."


def check_receipt(receipt: bytes, trust: Trust, outputs: Collection[str] = (), *, request: str = "") -> Report:
    """The receipt verifies, and records every one of these outputs.

    Args:
        outputs: SHA-256 of signatures that were given out, hex. request: that it was asked for, if any.

    Raises:
        OutputNotInLog, ReceiptOfAnother, and what verify_receipt raises.
    """
    report = receipts.verify_receipt(receipt, trust.log_key, pinned=known_keys(trust))
    if request and report.request != request:
        raise ReceiptOfAnother(f"The service gave the receipt of request {report.request}, not of {request}.")
    missing = set(outputs) - {seen.sha256 for seen in report.signatures}
    if missing:
        raise OutputNotInLog(f"{len(missing)} signatures are not in the log as the receipt shows it.")
    return report
