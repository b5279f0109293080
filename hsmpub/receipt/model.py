"""The receipt file: one JSON object."""

from __future__ import annotations

from typing import Literal

import msgspec

from hsmpub.errors import Invalid, TooLarge

FORMAT: Literal["hsmpub-receipt-1"] = "hsmpub-receipt-1"
SUFFIX = ".receipt.json"
MAX_RECEIPT_BYTES = 64 * 1024 * 1024
MAX_ENTRIES = 16_384


class ReceiptMalformed(Invalid):
    advice = "This is not a receipt of this version; fetch it again from the service."


class ReceiptTooLarge(TooLarge):
    advice = "No receipt is that large; fetch it again from the service."


class LoggedEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of the log. text: its exact bytes, which are UTF-8 JSON; proof: a C2SP tlog-proof."""

    index: int
    text: str
    proof: str


class Receipt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """checkpoint: the C2SP signed note under which every proof stands; entries: in the log's order."""

    format: Literal["hsmpub-receipt-1"]
    checkpoint: str
    entries: tuple[LoggedEntry, ...]


_decoder = msgspec.json.Decoder(Receipt)


def dump_receipt(checkpoint: bytes, entries: tuple[LoggedEntry, ...]) -> bytes:
    """The file's bytes: JSON, two spaces, so that people can read it."""
    data = msgspec.json.encode(Receipt(FORMAT, checkpoint.decode(), entries))
    return msgspec.json.format(data, indent=2) + b"\n"


def load_receipt(data: bytes) -> Receipt:
    """The receipt of a file's bytes, nothing verified.

    Raises:
        ReceiptMalformed, ReceiptTooLarge.
    """
    if len(data) > MAX_RECEIPT_BYTES:
        raise ReceiptTooLarge(f"The receipt takes {len(data):,} bytes.")
    try:
        receipt = _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as e:
        raise ReceiptMalformed(f"The receipt cannot be read: {e}.") from None
    indexes = [entry.index for entry in receipt.entries]
    if not indexes or len(indexes) > MAX_ENTRIES or indexes != sorted(set(indexes)):
        raise ReceiptMalformed("The receipt holds no entries, too many, or not in the log's order.")
    return receipt
