"""What a holder's own machine does: open the share file, seal the words to the attempt, and nothing before it has
checked that the attempt is the keeper's."""

from __future__ import annotations

from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hsmpub.errors import Forbidden
from hsmpub.model.terms import UNLIMITED, Terms, bound_attempt, dump_terms
from hsmpub.secret.box import seal_box
from hsmpub.secret.page import wipe
from hsmpub.shares.commitment import share_commitment
from hsmpub.shares.gathering import SHARE_CONTEXT, ShareAltered
from hsmpub.shares.identity import open_share_file
from hsmpub.shares.record import HolderRecord, Purpose
from hsmpub.shares.slip39 import canonical, read_share

ATTEMPT_CONTEXT = b"hsmpub attempt v1"


class AttemptNotOfKeeper(Forbidden):
    advice = "Hand nothing in: somebody answers in the keeper's place, or the pinned keeper key is of another service."


class Announced(Protocol):
    """What the keeper says of any gathering of shares: its name and key, until when, and its own signature."""

    @property
    def attempt(self) -> bytes: ...
    @property
    def key(self) -> bytes: ...
    @property
    def signature(self) -> bytes: ...
    @property
    def expires_at(self) -> int: ...


class AttemptFields(Announced, Protocol):
    """What an announced attempt says; hsmpub.wire.messages.AttemptReply has it."""

    @property
    def terms(self) -> Terms: ...


def attempt_to_sign(attempt: bytes, key: bytes, expires_at: int, terms: Terms = UNLIMITED) -> bytes:
    """What the keeper's identity signs when it announces an attempt under these terms."""
    return ATTEMPT_CONTEXT + attempt + key + expires_at.to_bytes(8, "big") + dump_terms(terms)


def check_attempt(attempt: AttemptFields, keeper_key: bytes) -> None:
    """The pinned keeper announced this attempt. keeper_key: raw Ed25519, 32 bytes.

    Raises:
        AttemptNotOfKeeper: it did not.
    """
    message = attempt_to_sign(attempt.attempt, attempt.key, attempt.expires_at, attempt.terms)
    check_announced(attempt, message, keeper_key, "attempt")


def check_announced(announced: Announced, message: bytes, keeper_key: bytes, what: str) -> None:
    """The pinned keeper signed `message`, which says all that is announced. Raises AttemptNotOfKeeper."""
    try:
        if len(announced.attempt) != 16 or len(announced.key) != 32:
            raise InvalidSignature
        Ed25519PublicKey.from_public_bytes(keeper_key).verify(announced.signature, message)
    except (InvalidSignature, ValueError):
        raise AttemptNotOfKeeper(f"The {what} is not signed by the pinned keeper.") from None


def box_for_attempt(
    share_file: bytes | bytearray, identity: bytes | bytearray, attempt: AttemptFields, holder: str, keeper_key: bytes
) -> bytes:
    """The share, sealed so that only the process that gathers this attempt's shares can read it, and only under the
    attempt's terms.

    Args:
        share_file: the holder's age file, or the words themselves (from an age plugin's own tool).
        identity: content of the holder's private key file (age or SSH); not looked at for words.
        keeper_key: the pinned one (trust.json), raw Ed25519, 32 bytes.

    Returns:
        The box of a `HandIn`.

    Raises:
        AttemptNotOfKeeper: before anything is opened.
        IdentityUnusable, IdentityEncrypted, ShareFileOfAnother, ShareMalformed.
    """
    check_attempt(attempt, keeper_key)
    bound = bound_attempt(attempt.attempt, dump_terms(attempt.terms))
    return seal_share(open_share_file(share_file, identity), bound, attempt.key, holder)


def seal_share(mnemonic: bytearray, attempt: bytes, key: bytes, holder: str, context: bytes = SHARE_CONTEXT) -> bytes:
    """The box; `mnemonic` is wiped. A misspelt share is refused here already. Raises ShareMalformed.

    attempt: of bound_attempt.
    """
    try:
        words = canonical(mnemonic)
    finally:
        wipe(mnemonic)
    try:
        read_share(words)
        return seal_box(key, context + attempt + holder.encode(), words)
    finally:
        wipe(words)


def check_own_share(
    share_file: bytes | bytearray, identity: bytes | bytearray, *, purpose: Purpose, epoch: int, holder: HolderRecord
) -> None:
    """A holder's own look at their share, without unsealing anything: it is the one that the ceremony committed to.

    epoch, holder: as the ceremony's transcript has them.

    Raises:
        ShareMalformed, ShareAltered: it is not.
        IdentityUnusable, IdentityEncrypted, ShareFileOfAnother: it could not be opened.
    """
    words = canonical(open_share_file(share_file, identity))
    try:
        read_share(words)
        if share_commitment(purpose, epoch, holder.name, words) != holder.commitment:
            raise ShareAltered(f"This is not the {purpose} share of epoch {epoch} that was made for {holder.name}.")
    finally:
        wipe(words)
