"""Steps 1 and 2: the pinned log key signed the checkpoint; every entry is in the log under it."""

from __future__ import annotations

from hsmpub.errors import HsmpubError, Invalid
from hsmpub.model.entry import Entry, load_entry
from hsmpub.receipt.model import Receipt
from hsmpub.tlog.checkpoint import Checkpoint, check_checkpoint
from hsmpub.tlog.note import VerifierKey
from hsmpub.tlog.proof import check_proof, load_proof


class EntryNotInLog(Invalid):
    """index: the entry whose text, index or proof is not what the log holds."""

    advice = "The receipt was altered. Fetch it again from the service; if that is the same, the service is lying."

    def __init__(self, detail: str, index: int) -> None:
        super().__init__(detail)
        self.index = index


def check_receipt_checkpoint(receipt: Receipt, log_key: VerifierKey) -> Checkpoint:
    """Raises NoteMalformed, NoteUntrusted, CheckpointMalformed, CheckpointOfAnotherLog."""
    return check_checkpoint(receipt.checkpoint.encode(), log_key)


def check_receipt_entries(receipt: Receipt, log_key: VerifierKey) -> list[tuple[int, Entry]]:
    """Index and content of every entry.

    Raises:
        EntryNotInLog: names the index.
        EntryMalformed: in the log, and unknown to this version.
    """
    note = receipt.checkpoint.encode()
    entries = []
    for logged in receipt.entries:
        text = logged.text.encode()
        try:
            if load_proof(logged.proof).checkpoint != note:
                raise EntryNotInLog(f"The proof of entry {logged.index} stands under another checkpoint.", logged.index)
            index, _ = check_proof(logged.proof, text, log_key)
        except EntryNotInLog:
            raise
        except HsmpubError as e:
            raise EntryNotInLog(
                f"Entry {logged.index} is not in the log as the receipt tells it: {e.detail}", logged.index
            ) from None
        if index != logged.index:
            raise EntryNotInLog(f"The proof of entry {logged.index} is for entry {index}.", logged.index)
        entries.append((index, load_entry(text)))
    return entries
