"""One gathering of shares, inside its child process: each is accepted or refused the moment it comes.

Accepting is by commitment: a share counts only if it is, word for word, the one that the ceremony made for the
holder who hands it in. Everything else is refused, changes nothing, and is told apart by `_diagnose`.
"""

from __future__ import annotations

import hmac
from typing import NoReturn

from hsmpub.errors import Conflict, Invalid
from hsmpub.secret.box import BoxNotOpened, open_box
from hsmpub.secret.page import wipe
from hsmpub.shares.commitment import share_commitment
from hsmpub.shares.derive import check_secret
from hsmpub.shares.progress import too_few
from hsmpub.shares.record import HolderRecord, Purpose, Quorum
from hsmpub.shares.slip39 import ShareOfAnotherEpoch, canonical, check_header, combine_shares, read_share

SHARE_CONTEXT = b"hsmpub share v1"
DRILL_CONTEXT = b"hsmpub drill share v1"
MAX_BOX_BYTES = 4096


class ShareBoxUnreadable(Invalid):
    advice = "Ask for the attempt that is open now and seal the share to its key, under the holder's own name."


class ShareAlreadyHandedIn(Conflict):
    advice = "Nothing is left to do for this holder; the others hand in theirs."


class ShareOfAnotherHolder(Conflict):
    advice = "Each holder hands in the share that was made for them, under their own name."


class ShareAltered(Invalid):
    advice = "Take the share file as the ceremony wrote it."


class ShareOfAnotherGroup(Conflict):
    advice = "Each holder hands in the share that was made for them, under their own name."


class GroupComplete(Conflict):
    advice = "Nothing is left to do for this group; holders of other groups hand in theirs."


class TooFewHolders(Conflict):
    advice = "More holders hand in their shares; a ceremony takes them all in one call, and has changed nothing yet."


class EnoughShares(Conflict):
    advice = "Nothing is left to do: enough holders have handed in theirs."


class Gathering:
    """The shares of one attempt.

    Args:
        record: of the quorum; the only source of thresholds, identifiers and names.
        purpose: which quorum it is.
        attempt: what every box is bound to (hsmpub.model.terms.bound_attempt).
        private: raw X25519 key to which the boxes of this attempt are sealed.
        context: what every box of this attempt is bound to, so that one for a drill unseals nothing.
    """

    def __init__(
        self, record: Quorum, purpose: Purpose, attempt: bytes, private: bytearray, context: bytes = SHARE_CONTEXT
    ) -> None:
        self._record = record
        self._purpose: Purpose = purpose
        self._attempt = attempt
        self._private = private
        self._context = context
        self._shares: dict[str, bytearray] = {}

    @property
    def accepted(self) -> tuple[str, ...]:
        """Holders whose shares are here, in their order."""
        return tuple(self._shares)

    @property
    def is_complete(self) -> bool:
        return self._record.is_complete(self._shares)

    def hand_in_box(self, holder: str, box: bytes) -> None:
        """Takes a share sealed to this attempt's key. Raises what `hand_in` raises, and ShareBoxUnreadable."""
        self._check_expected(holder)
        if len(box) > MAX_BOX_BYTES:
            raise ShareBoxUnreadable("The box is larger than any share.")
        try:
            words = open_box(self._private, self._context + self._attempt + holder.encode(), box)
        except BoxNotOpened:
            raise ShareBoxUnreadable(f"The box from {holder} does not open in this attempt.") from None
        self.hand_in(holder, bytearray(words))

    def hand_in(self, holder: str, mnemonic: bytearray) -> None:
        """Takes the words of a share; wipes `mnemonic`.

        Raises:
            UnknownHolder, ShareAlreadyHandedIn, EnoughShares, GroupComplete: whatever the words are.
            ShareOfAnotherHolder, ShareOfAnotherGroup, ShareMalformed, ShareOfAnotherEpoch, ShareHeaderLies,
            ShareAltered: see each.
        """
        try:
            record = self._check_expected(holder)
            words = canonical(mnemonic)
        finally:
            wipe(mnemonic)
        if not self._is_share_of(record, words):
            try:
                self._diagnose(record, words)
            finally:
                wipe(words)
        self._shares[holder] = words

    def secret(self) -> bytearray:
        """The combined secret, checked; the shares are wiped then.

        Raises:
            TooFewHolders: the threshold is not reached.
            SecretFailsKeyCheck, ShareOfAnotherEpoch, ShareHeaderLies: the record was altered.
        """
        if not self.is_complete:
            raise TooFewHolders(too_few(self._record, self.accepted))
        try:
            # shares of groups that are not complete take no part
            complete = [group for group in self._record.groups if group.enough(self._shares)]
            names = [holder.name for group in complete for holder in group.holders if holder.name in self._shares]
            shares = [read_share(self._shares[name]) for name in names]
            secret = combine_shares(shares, self._record.layout)
        finally:
            self.wipe()
        check_secret(self._purpose, self._record.epoch, secret, self._record.check)
        return secret

    def withdraw(self, holder: str) -> None:
        """Forgets a holder's share; harmless where there is none."""
        words = self._shares.pop(holder, None)
        if words is not None:
            wipe(words)

    def wipe(self) -> None:
        """Forgets every share."""
        for words in self._shares.values():
            wipe(words)
        self._shares.clear()

    def _check_expected(self, holder: str) -> HolderRecord:
        record = self._record.holder(holder)
        if holder in self._shares:
            raise ShareAlreadyHandedIn(f"The share of {holder} is here already.")
        if self.is_complete:
            raise EnoughShares(f"{len(self._shares)} holders have handed in their shares already.")
        group = self._record.group_of(record)
        if group.enough(self._shares):
            raise GroupComplete(f"{group.threshold} holders of group {group.name} have handed in their shares already.")
        return record

    def _is_share_of(self, holder: HolderRecord, words: bytearray) -> bool:
        commitment = share_commitment(self._purpose, self._record.epoch, holder.name, words)
        return hmac.compare_digest(commitment, holder.commitment)

    def _diagnose(self, holder: HolderRecord, words: bytearray) -> NoReturn:
        for other in self._record.holders:
            if self._is_share_of(other, words):
                raise ShareOfAnotherHolder(f"{holder.name} handed in the share of {other.name}.")
        share = read_share(words)
        for earlier in self._record.earlier:
            if share.identifier == earlier.identifier:
                raise ShareOfAnotherEpoch(f"The share that {holder.name} handed in is of epoch {earlier.epoch}; "
                                          f"epoch {self._record.epoch} is in force.")  # fmt: skip
        check_header(share, self._record.layout)
        stated = self._record.groups[share.group_index].name
        if stated != holder.group:
            raise ShareOfAnotherGroup(f"The share is of group {stated}; {holder.name} is of group {holder.group}.")
        raise ShareAltered(f"What {holder.name} handed in is not the share that the ceremony made.")
