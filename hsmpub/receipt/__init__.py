"""Receipts: one file that shows, offline, what was asked, who approved it, what was signed and where it went.

`build_receipt` makes one from the log; `verify_receipt` trusts nothing but the pinned log key.
"""

from typing import TYPE_CHECKING

from hsmpub.imports import on_demand

if TYPE_CHECKING:
    from hsmpub.receipt.build import ReceiptBuilder, build_receipt
    from hsmpub.receipt.files import GivenFile
    from hsmpub.receipt.report import Report, Step
    from hsmpub.receipt.verify import verify_receipt

__all__ = ["GivenFile", "ReceiptBuilder", "Report", "Step", "build_receipt", "verify_receipt"]

__getattr__ = on_demand(
    __name__,
    build=("ReceiptBuilder", "build_receipt"),
    files=("GivenFile",),
    report=("Report", "Step"),
    verify=("verify_receipt",),
)
