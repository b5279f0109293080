"""How the keys came to be what they are: every entry about them, with proofs, and the keeper's word that this is all.

Offline the entries follow one another from the pins on, since each names the digest of all keys before it. Only that
the newest was not left out cannot be seen from them: for that the keeper's identity signs the digest, with a nonce of
whoever asked.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hsmpub.errors import Broken, Invalid
from hsmpub.model import entry as e
from hsmpub.model.keys import Keys
from hsmpub.model.trust import Trust, known_keys
from hsmpub.receipt.inclusion import check_receipt_checkpoint, check_receipt_entries
from hsmpub.receipt.model import MAX_RECEIPT_BYTES, LoggedEntry, Receipt
from hsmpub.tlog.note import load_verifier_key
from hsmpub.wire.messages import keys_to_sign

FORMAT: Literal["hsmpub-keys-1"] = "hsmpub-keys-1"


class KeyHistoryMalformed(Invalid):
    advice = "Check the address: this is not what a service of this version answers."


class KeyHistoryUntrusted(Broken):
    advice = (
        "Compare trust.json with another participant's: this service is not the pinned one, or somebody is between."
    )


class KeyHistoryIncomplete(Broken):
    """Entries about keys are missing, or the service is behind the pins."""

    advice = "Try again; if it stays, the service hides a change of its keys or was set back: ask whoever runs it."


class KeyHistory(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a service answers. entries: all about keys after the genesis; digest: of all keys, hex.

    signature: of the keeper's identity over `keys_to_sign(nonce, digest)`, hex.
    """

    format: Literal["hsmpub-keys-1"]
    checkpoint: str
    entries: tuple[LoggedEntry, ...]
    digest: str
    signature: str


_decoder = msgspec.json.Decoder(KeyHistory)


def load_key_history(data: bytes) -> KeyHistory:
    """Nothing verified. Raises KeyHistoryMalformed."""
    if len(data) > MAX_RECEIPT_BYTES:
        raise KeyHistoryMalformed("The history of keys is larger than any.")
    try:
        history = _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise KeyHistoryMalformed("The history of keys cannot be read.") from None
    indexes = [entry.index for entry in history.entries]
    if indexes != sorted(set(indexes)):
        raise KeyHistoryMalformed("The history of keys is not in the log's order.")
    return history


def check_key_history(data: bytes, trust: Trust, nonce: bytes) -> Keys:
    """The keys as they are now, followed from the pins on.

    1 the keeper of the pins signed the digest for this nonce
    2 the pinned log key signed the checkpoint, and every entry is in the log under it
    3 each entry newer than the pins follows the one before
    4 what comes out is what the keeper signed

    Raises:
        KeyHistoryMalformed, TrustMalformed.
        KeyHistoryUntrusted: 1. NoteUntrusted, EntryNotInLog, EntryMalformed: 2.
        KeyHistoryIncomplete, KeysOutOfTurn: 3 and 4.
    """
    history = load_key_history(data)
    _check_word(history, trust, nonce)
    logged = Receipt("hsmpub-receipt-1", history.checkpoint, history.entries)
    checkpoint = check_receipt_checkpoint(logged, load_verifier_key(trust.log_key))
    keys = known_keys(trust)
    for index, entry in check_receipt_entries(logged, checkpoint):
        if not isinstance(entry, e.KeysChanged):
            raise KeyHistoryMalformed(f"Entry {index} is not about keys.")
        if index > keys.last:
            keys = keys.after(index, entry)
    if keys.digest != history.digest:
        raise KeyHistoryIncomplete("The entries about keys do not lead to the keys that the keeper names.")
    return keys


def _check_word(history: KeyHistory, trust: Trust, nonce: bytes) -> None:
    try:
        keeper = Ed25519PublicKey.from_public_bytes(bytes.fromhex(trust.keeper_key))
        keeper.verify(bytes.fromhex(history.signature), keys_to_sign(nonce, history.digest))
    except (InvalidSignature, ValueError):
        raise KeyHistoryUntrusted("The answer about keys is not signed by the pinned keeper.") from None


def dump_key_history(checkpoint: bytes, entries: tuple[LoggedEntry, ...], digest: str, signature: bytes) -> bytes:
    """The answer's bytes, JSON."""
    return msgspec.json.encode(KeyHistory(FORMAT, checkpoint.decode(), entries, digest, signature.hex()))
