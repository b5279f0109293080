"""The public facts of a quorum, as records and transcripts both have them, and the one digest that names them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from hsmpub.errors import Invalid
from hsmpub.shares.fingerprint import fingerprint_words
from hsmpub.shares.plan import QuorumPlan
from hsmpub.shares.recipient import parse_recipient
from hsmpub.shares.record import GroupRule, HolderRecord, Purpose, Quorum

_CONTEXT = b"hsmpub quorum v1\n"


class FactsMalformed(Invalid):
    advice = "Take the transcript as the ceremony wrote it."


class QuorumFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who holds shares of which set: what every holder can compare. Fields as in hsmpub.shares.record.Quorum.

    groups: name and threshold of each named group.
    """

    epoch: int
    threshold: int
    group_threshold: int = 1
    groups: tuple[GroupRule, ...] = ()
    holders: tuple[HolderRecord, ...]

    def digest(self, purpose: Purpose) -> str:
        """SHA-256, hex, over purpose and facts: the same for everybody who looks at the same set of shares."""
        return hashlib.sha256(_CONTEXT + purpose.encode() + b"\n" + msgspec.json.encode(self)).hexdigest()

    def words(self, purpose: Purpose) -> str:
        """The digest as twelve words, to be read aloud."""
        return fingerprint_words(bytes.fromhex(self.digest(purpose)))

    def holder(self, name: str) -> HolderRecord | None:
        return next((holder for holder in self.holders if holder.name == name), None)


def facts_of(record: Quorum) -> QuorumFacts:
    """The public facts of a record."""
    return QuorumFacts(
        epoch=record.epoch,
        threshold=record.threshold,
        group_threshold=record.group_threshold,
        groups=record.group_rules,
        holders=record.holders,
    )


def facts_of_plan(plan: QuorumPlan, epoch: int, holders: tuple[HolderRecord, ...]) -> QuorumFacts:
    """The public facts of a set that was just split by `plan`."""
    rules = tuple(GroupRule(group.name, group.threshold) for group in plan.groups if group.name)
    return QuorumFacts(
        epoch=epoch, threshold=plan.threshold, group_threshold=plan.group_threshold, groups=rules, holders=holders
    )


def new_holders(plan: QuorumPlan, made: Iterable[tuple[str, str]]) -> tuple[HolderRecord, ...]:
    """The holders of a set that was just split. made: commitment and verifier of each share, group by group."""
    places = [(group.name, index) for group in plan.groups for index in range(len(group.holders))]
    recipients = [parse_recipient(holder.recipient) for holder in plan.holders]
    return tuple(
        HolderRecord(
            name=holder.name,
            index=index,
            commitment=commitment,
            recipient=recipient.text,
            fingerprint=recipient.fingerprint,
            group=group,
            verifier=verifier,
        )
        for holder, recipient, (group, index), (commitment, verifier) in zip(
            plan.holders, recipients, places, made, strict=True
        )
    )


def load_facts(facts: Mapping[str, Any]) -> QuorumFacts:
    """What a transcript's step `unseal quorum` or `recovery quorum` says. Raises FactsMalformed."""
    try:
        return msgspec.convert(facts, QuorumFacts)
    except msgspec.ValidationError:
        raise FactsMalformed("The transcript does not say who holds shares.") from None
