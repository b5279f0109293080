"""A holder's own share against a transcript."""

from __future__ import annotations

from dataclasses import dataclass

from hsmpub.secret.page import wipe
from hsmpub.shares.card import CardFacts, make_card
from hsmpub.shares.confirmation import Confirmation, confirm_with_share
from hsmpub.shares.facts import QuorumFacts, load_facts
from hsmpub.shares.gathering import ShareAltered
from hsmpub.shares.holder import check_own_share
from hsmpub.shares.identity import open_share_file
from hsmpub.shares.record import Purpose, UnknownHolder
from hsmpub.shares.slip39 import canonical
from hsmpub.transcript.record import Transcript

_PURPOSES: tuple[Purpose, Purpose] = ("unseal", "recovery")


@dataclass(frozen=True)
class OwnShare:
    """A share that is the one the ceremony made. facts: of the set that it belongs to."""

    service: str
    purpose: Purpose
    holder: str
    facts: QuorumFacts

    @property
    def epoch(self) -> int:
        return self.facts.epoch

    def confirm(self, file: bytes | bytearray, identity: bytearray) -> Confirmation:
        """The holder's word on it. file, identity: as for check_share."""
        return confirm_with_share(open_share_file(file, identity), self.purpose, self.facts, self.holder)

    def card(self, file: bytes | bytearray, identity: bytearray) -> bytearray:
        """A printable card, PDF; the caller wipes it. file, identity: as for check_share."""
        record = self.facts.holder(self.holder)
        group = record.group if record is not None else ""
        about = CardFacts(self.service, self.purpose, self.epoch, self.holder, group, self.facts.words(self.purpose))
        words = canonical(open_share_file(file, identity))
        try:
            return make_card(about, words)
        finally:
            wipe(words)


def check_share(transcript: Transcript, holder: str, file: bytes | bytearray, identity: bytearray) -> OwnShare:
    """The share is one that this transcript's ceremony made for `holder`.

    Args:
        transcript: a checked one.
        file: the share file, or the words themselves; identity: content of the private key's file, or nothing.

    Raises:
        UnknownHolder: the ceremony made no share for that name.
        ShareMalformed, ShareAltered, IdentityUnusable, IdentityEncrypted, ShareFileOfAnother, FactsMalformed.
    """
    altered: ShareAltered | None = None
    for purpose in _PURPOSES:
        if not (step := transcript.facts(f"{purpose} quorum")):
            continue
        facts = load_facts(step)
        record = facts.holder(holder)
        if record is not None:
            try:
                check_own_share(file, identity, purpose=purpose, epoch=facts.epoch, holder=record)
                return OwnShare(transcript.head.service, purpose, holder, facts)
            except ShareAltered as error:
                altered = error  # somebody may hold one share of each quorum
    raise altered or UnknownHolder(f"The ceremony made no share for {holder[:80]!r}.")
