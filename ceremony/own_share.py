"""A holder's own share against a transcript."""

from __future__ import annotations

import msgspec

from ceremony.transcript import Transcript
from ceremony.transcript_check import TranscriptMalformed
from hsmpub.shares.holder import check_own_share
from hsmpub.shares.record import HolderRecord, Purpose, UnknownHolder


def check_share(transcript: Transcript, holder: str, file: bytes, identity: bytearray) -> tuple[Purpose, int]:
    """Returns quorum and epoch of the share. transcript: a checked one.

    Raises:
        UnknownHolder: the ceremony made no share for that name.
        ShareMalformed, ShareAltered, IdentityUnusable, IdentityEncrypted, ShareFileOfAnother.
    """
    purposes: tuple[Purpose, Purpose] = ("unseal", "recovery")
    for purpose in purposes:
        facts = transcript.facts(f"{purpose} quorum")
        try:
            holders = msgspec.convert(facts.get("holders", []), tuple[HolderRecord, ...])
            epoch = msgspec.convert(facts.get("epoch", 0), int)
        except msgspec.ValidationError:
            raise TranscriptMalformed("The transcript does not say who holds shares.") from None
        for record in holders:
            if record.name == holder:
                check_own_share(file, identity, purpose=purpose, epoch=epoch, holder=record)
                return purpose, epoch
    raise UnknownHolder(f"The ceremony made no share for {holder[:80]!r}.")
