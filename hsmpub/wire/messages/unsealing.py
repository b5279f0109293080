"""Holders hand in their shares."""

from __future__ import annotations

from hsmpub.model.terms import UNLIMITED, Terms
from hsmpub.wire.messages.message import Message
from hsmpub.wire.messages.quorum import Gathered, GroupProgress


class GetAttempt(Message, frozen=True, tag="attempt"):
    """The unseal attempt that is open now, under these terms; one is opened where there is none."""

    terms: Terms = UNLIMITED


class AttemptReply(Message, frozen=True, tag="attempt-reply"):
    """threshold: the fewest holders that can be enough; group_threshold: so many of `groups` are needed.

    key: raw X25519 (HPKE) public key of this attempt; signature: of the keeper identity over
    `b"hsmpub attempt v1" + attempt + key + expires_at as 8 bytes big-endian + dump_terms(terms)`.
    terms: those asked for, within what the policy allows. accepted and groups: under these terms; gathering: under any.
    """

    attempt: bytes
    key: bytes
    signature: bytes
    keeper_key: bytes
    epoch: int
    threshold: int
    holders: tuple[str, ...]
    accepted: tuple[str, ...]
    expires_at: int
    group_threshold: int
    groups: tuple[GroupProgress, ...]
    terms: Terms = UNLIMITED
    gathering: tuple[Gathered, ...] = ()


class HandIn(Message, frozen=True, tag="hand-in"):
    """box: the mnemonic's UTF-8 bytes, HPKE-sealed to the attempt's key; info = `b"hsmpub share v1" +
    bound_attempt(attempt, dump_terms(terms)) + holder`. Accepted or refused at once. A holder's share counts under
    the terms that they named last, and under no others."""

    attempt: bytes
    holder: str
    box: bytes
    terms: Terms = UNLIMITED


class HandInReply(Message, frozen=True, tag="hand-in-reply"):
    """As AttemptReply. state: "sealed" or "unsealed"."""

    holder: str
    accepted: tuple[str, ...]
    threshold: int
    state: str
    group_threshold: int
    groups: tuple[GroupProgress, ...]
