"""A holder's own share against a transcript."""

from __future__ import annotations

import msgspec

from hsmpub.shares.gathering import ShareAltered
from hsmpub.shares.holder import check_own_share
from hsmpub.shares.record import HolderRecord, Purpose, UnknownHolder
from hsmpub.transcript.check import TranscriptMalformed
from hsmpub.transcript.record import Transcript


def check_share(transcript: Transcript, holder: str, file: bytes, identity: bytearray) -> tuple[Purpose, int]:
    """Returns quorum and epoch of the share. transcript: a checked one.

    Raises:
        UnknownHolder: the ceremony made no share for that name.
        ShareMalformed, ShareAltered, IdentityUnusable, IdentityEncrypted, ShareFileOfAnother.
    """
    purposes: tuple[Purpose, Purpose] = ("unseal", "recovery")
    altered: ShareAltered | None = None
    for purpose in purposes:
        epoch, record = _holder(transcript, purpose, holder)
        if record is not None:
            try:
                check_own_share(file, identity, purpose=purpose, epoch=epoch, holder=record)
                return purpose, epoch
            except ShareAltered as error:
                altered = error  # somebody may hold one share of each quorum
    raise altered or UnknownHolder(f"The ceremony made no share for {holder[:80]!r}.")


def _holder(transcript: Transcript, purpose: Purpose, holder: str) -> tuple[int, HolderRecord | None]:
    facts = transcript.facts(f"{purpose} quorum")
    try:
        holders = msgspec.convert(facts.get("holders", []), tuple[HolderRecord, ...])
        epoch = msgspec.convert(facts.get("epoch", 0), int)
    except msgspec.ValidationError:
        raise TranscriptMalformed("The transcript does not say who holds shares.") from None
    return epoch, next((record for record in holders if record.name == holder), None)
