"""A holder's word that the share of a new set opens and is the right one: a small file, signed with the share.

It says nothing about the share. A new set of shares becomes valid only when every holder has confirmed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from hsmpub.errors import Conflict, Invalid
from hsmpub.shares.facts import QuorumFacts
from hsmpub.shares.record import Purpose, UnknownHolder
from hsmpub.shares.verifier import check_signature_of, sign_with_share

KIND = "confirm"


class ConfirmationMalformed(Invalid):
    advice = "Give the file that 'hsmpub-ceremony share check --confirmation FILE' wrote, as it is."


class ConfirmationOfAnotherSet(Conflict):
    advice = "Check the share of this set, and hand in the confirmation that this gives."


class HoldersNotConfirmed(Conflict):
    advice = "Wait until they have run 'hsmpub-ceremony share check' and sent you their confirmations."


class Confirmation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """quorum: digest of the set's public facts, hex; signature: of kind "confirm" over its 32 bytes, hex."""

    confirmation: Literal["hsmpub confirmation v1"] = "hsmpub confirmation v1"
    purpose: Purpose
    epoch: int
    holder: str
    quorum: str
    signature: str


_decoder = msgspec.json.Decoder(Confirmation)


def confirm_with_share(mnemonic: bytearray, purpose: Purpose, facts: QuorumFacts, holder: str) -> Confirmation:
    """The confirmation of a share that was checked (hsmpub.shares.holder.check_own_share). Wipes `mnemonic`.

    Raises:
        ShareMalformed.
    """
    digest = facts.digest(purpose)
    signature = sign_with_share(
        mnemonic, KIND, bytes.fromhex(digest), purpose=purpose, epoch=facts.epoch, holder=holder
    )
    return Confirmation(purpose=purpose, epoch=facts.epoch, holder=holder, quorum=digest, signature=signature.hex())


def dump_confirmation(confirmation: Confirmation) -> bytes:
    """A few lines of JSON."""
    return msgspec.json.format(msgspec.json.encode(confirmation), indent=2) + b"\n"


def load_confirmation(data: bytes) -> Confirmation:
    """Raises ConfirmationMalformed."""
    try:
        confirmation = _decoder.decode(data)
        bytes.fromhex(confirmation.signature)
        return confirmation
    except (msgspec.MsgspecError, ValueError):
        raise ConfirmationMalformed("The file is no confirmation of a share.") from None


def dump_confirmations(confirmations: Iterable[Confirmation]) -> bytes:
    """Several, as the keeper and a ceremony keep them."""
    return msgspec.json.format(msgspec.json.encode(list(confirmations)), indent=2) + b"\n"


def load_confirmations(data: bytes) -> tuple[Confirmation, ...]:
    """Raises ConfirmationMalformed."""
    try:
        return msgspec.json.decode(data, type=tuple[Confirmation, ...])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise ConfirmationMalformed("The confirmations that were kept cannot be read.") from None


def check_confirmation(confirmation: Confirmation, purpose: Purpose, facts: QuorumFacts) -> str:
    """Returns: the holder who has confirmed this set.

    facts: of facts_of(record), or of a checked transcript.

    Raises:
        ConfirmationOfAnotherSet: another quorum, epoch or set.
        UnknownHolder: somebody who holds no share of it.
        HolderHasNoVerifier, HolderSignatureWrong: not signed with this holder's share.
    """
    name = confirmation.holder[:80]
    if (confirmation.purpose, confirmation.epoch, confirmation.quorum) != (purpose, facts.epoch, facts.digest(purpose)):
        raise ConfirmationOfAnotherSet(f"What {name} confirmed is not the {purpose} set of epoch {facts.epoch}.")
    holder = facts.holder(confirmation.holder)
    if holder is None:
        raise UnknownHolder(f"{name!r} is no holder of this quorum.")
    check_signature_of(holder, KIND, bytes.fromhex(confirmation.quorum), bytes.fromhex(confirmation.signature))
    return holder.name


def unconfirmed(confirmations: Iterable[Confirmation], purpose: Purpose, facts: QuorumFacts) -> tuple[str, ...]:
    """The holders who have not confirmed, in the record's order. Raises what check_confirmation raises."""
    confirmed = {check_confirmation(confirmation, purpose, facts) for confirmation in confirmations}
    return tuple(holder.name for holder in facts.holders if holder.name not in confirmed)


def check_all_confirmed(confirmations: Iterable[Confirmation], purpose: Purpose, facts: QuorumFacts) -> None:
    """Every holder of the set has confirmed it. Raises HoldersNotConfirmed, and what check_confirmation raises."""
    if missing := unconfirmed(confirmations, purpose, facts):
        raise HoldersNotConfirmed(f"Not confirmed yet by {', '.join(missing)}.")
