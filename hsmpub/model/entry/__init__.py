"""The closed set of facts that the log holds. The state of everything is a fold over them.

An entry is one JSON object, encoded once by `dump_entry`; its exact bytes are the leaf. `kind` names it.
`at` is the keeper's time, in seconds since 1970: that of the decision or the signature, so that entries whose
signatures were made side by side may stand a little out of its order.
"""

from __future__ import annotations

import msgspec

from hsmpub.errors import Broken, TooLarge
from hsmpub.model.entry.asking import Approved, Declined, Expired, Requested, SessionOpened
from hsmpub.model.entry.ceremonies import CeremonyHeld, Lost, Restored
from hsmpub.model.entry.holders import (
    Drilled,
    HolderPresent,
    Resumed,
    SealedBy,
    ShareHandedIn,
    UnsealedBy,
    UpgradePermitted,
)
from hsmpub.model.entry.in_force import (
    Genesis,
    IssuerKeys,
    KeysChanged,
    PolicyAdopted,
    Retirement,
    RetirementReason,
    RosterAdopted,
)
from hsmpub.model.entry.publishing import (
    CredentialSealed,
    Delivered,
    NotDelivered,
    PublishIntent,
    PublishOutcome,
    PublishResult,
)
from hsmpub.model.entry.signing import Output, RoutineSigned, Signed, Timestamped, kept_output

__all__ = [
    "MAX_ENTRY_BYTES",
    "Approved",
    "CeremonyHeld",
    "CredentialSealed",
    "Declined",
    "Delivered",
    "Drilled",
    "Entry",
    "EntryMalformed",
    "EntryTooLarge",
    "Expired",
    "Genesis",
    "HolderPresent",
    "IssuerKeys",
    "KeysChanged",
    "Lost",
    "NotDelivered",
    "Output",
    "PolicyAdopted",
    "PublishIntent",
    "PublishOutcome",
    "PublishResult",
    "Requested",
    "Restored",
    "Resumed",
    "Retirement",
    "RetirementReason",
    "RosterAdopted",
    "RoutineSigned",
    "SealedBy",
    "SessionOpened",
    "ShareHandedIn",
    "Signed",
    "Timestamped",
    "UnsealedBy",
    "UpgradePermitted",
    "dump_entry",
    "kept_output",
    "load_entry",
]  # fmt: skip

#: C2SP tlog-tiles: an entry in a bundle carries a 16-bit length.
MAX_ENTRY_BYTES = 65_535

Entry = (
    Genesis | PolicyAdopted | RosterAdopted | IssuerKeys | SessionOpened | Requested | Approved | Declined | Expired
    | Signed | RoutineSigned | PublishIntent | PublishOutcome | CredentialSealed | Delivered | NotDelivered
    | ShareHandedIn | UnsealedBy | HolderPresent | UpgradePermitted | Resumed | SealedBy | Restored | CeremonyHeld
    | Drilled | Lost | KeysChanged | Timestamped
)  # fmt: skip

_encoder = msgspec.json.Encoder(order="deterministic")
_decoder: msgspec.json.Decoder[Entry] = msgspec.json.Decoder(Entry)


class EntryTooLarge(TooLarge):
    advice = "Split the request: a log entry holds at most 65,535 bytes."


class EntryMalformed(Broken):
    advice = "The log holds an entry that this version does not know: it was altered, or written by a newer one."


def dump_entry(entry: Entry) -> bytes:
    """The exact leaf bytes of an entry.

    Raises:
        EntryTooLarge: over 65,535 bytes.
    """
    data = _encoder.encode(entry)
    if len(data) > MAX_ENTRY_BYTES:
        raise EntryTooLarge(f"The entry takes {len(data):,} bytes.")
    return data


def load_entry(data: bytes) -> Entry:
    """The entry of exact leaf bytes.

    Raises:
        EntryMalformed: not one of the closed set.
    """
    try:
        return _decoder.decode(data)
    except msgspec.MsgspecError as e:
        raise EntryMalformed(f"A log entry cannot be read: {e}.") from None
