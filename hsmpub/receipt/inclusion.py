"""Steps 1 and 2: the pinned log key signed the checkpoint; every entry is in the log under it."""

from __future__ import annotations

from hsmpub.errors import Invalid
from hsmpub.model.entry import Entry, load_entry
from hsmpub.receipt.model import LoggedEntry, Receipt
from hsmpub.tlog.checkpoint import Checkpoint, check_checkpoint
from hsmpub.tlog.merkle import leaf_hash
from hsmpub.tlog.merkle_check import ProofMismatch, check_inclusion
from hsmpub.tlog.note import VerifierKey
from hsmpub.tlog.proof import ProofMalformed, load_proof


class EntryNotInLog(Invalid):
    """index: the entry whose text, index or proof is not what the log holds."""

    advice = "The receipt was altered. Fetch it again from the service; if that is the same, the service is lying."

    def __init__(self, detail: str, index: int) -> None:
        super().__init__(detail)
        self.index = index


def check_receipt_checkpoint(receipt: Receipt, log_key: VerifierKey) -> Checkpoint:
    """Raises NoteMalformed, NoteUntrusted, CheckpointMalformed, CheckpointOfAnotherLog."""
    return check_checkpoint(receipt.checkpoint.encode(), log_key)


def check_receipt_entries(receipt: Receipt, checkpoint: Checkpoint) -> list[tuple[int, Entry]]:
    """Index and content of every entry. checkpoint: the receipt's own, verified.

    Raises:
        EntryNotInLog: names the index.
        EntryMalformed: in the log, and unknown to this version.
    """
    for logged in receipt.entries:
        try:
            _check_entry(logged, receipt.checkpoint.encode(), checkpoint)
        except (ProofMalformed, ProofMismatch) as e:
            told = f"Entry {logged.index} is not in the log as the receipt tells it: {e.detail}"
            raise EntryNotInLog(told, logged.index) from None
    return [(logged.index, load_entry(logged.text.encode())) for logged in receipt.entries]


def _check_entry(logged: LoggedEntry, note: bytes, checkpoint: Checkpoint) -> None:
    """The proof is whole, with the checkpoint that was verified once for all of them."""
    proof = load_proof(logged.proof)
    if proof.checkpoint != note:
        raise EntryNotInLog(f"The proof of entry {logged.index} stands under another checkpoint.", logged.index)
    if proof.index != logged.index:
        raise EntryNotInLog(f"The proof of entry {logged.index} is for entry {proof.index}.", logged.index)
    check_inclusion(leaf_hash(logged.text.encode()), proof.index, checkpoint.size, proof.path, checkpoint.root)
