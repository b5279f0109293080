"""What a release made, fetched: receipt first, and only those outputs that it records."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hsmpub.client.client import Client
from hsmpub.client.outputs import write_whole
from hsmpub.client.receipts import OutputNotInLog, check_receipt
from hsmpub.model.digest import sha256_hex
from hsmpub.receipt.model import SUFFIX


def fetch_release(client: Client, request: str, into: Path) -> Iterator[Path]:
    """Writes the receipt and every signature beside it; yields each path once it is written.

    Raises:
        OutputNotInLog: the service gives other bytes than its log records.
        What verify_receipt raises, Refused, HostileName, NotWritten.
    """
    receipt = client.receipt(request)
    report = check_receipt(receipt, client.trust)
    name = "-".join(part for part in (report.project, report.version) if part) or report.request
    yield write_whole(into, f"{name}{SUFFIX}", receipt)
    for seen in report.signatures:
        output = client.output(request, seen.name)
        if sha256_hex(output) != seen.sha256:
            raise OutputNotInLog(f"What the service gives as {seen.name!r} is not what its log records.")
        yield write_whole(into, seen.name, output)
