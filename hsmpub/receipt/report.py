"""What a verification found, step by step, for people and programs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hsmpub.model.entry import PublishResult
from hsmpub.model.statement import Subject
from hsmpub.tlog.checkpoint import Checkpoint

StepName = Literal["checkpoint", "inclusion", "request", "policy", "approvals", "signatures", "files", "publishing"]


@dataclass(frozen=True)
class Step:
    """One check that passed. said: a sentence; details: what it covers, a line each."""

    name: StepName
    said: str
    details: tuple[str, ...] = ()


@dataclass(frozen=True)
class ApprovedBy:
    """One approval that verified. at: seconds since 1970; hardware: made by a security key."""

    person: str
    groups: tuple[str, ...]
    at: int
    fingerprint: str
    hardware: bool


@dataclass(frozen=True)
class SignatureSeen:
    """One signature of the request. checked: verified here with its key, over the file that was given.

    given: its own file was given, and is the one recorded.
    """

    artifact: str
    name: str
    format: str
    key: str
    sha256: str
    checked: bool
    given: bool


@dataclass(frozen=True)
class PublishedItem:
    """The last outcome of one item at one target; result is empty while an attempt is open."""

    target: str
    item: str
    result: PublishResult | Literal[""]
    attempts: int
    at: int


@dataclass(frozen=True)
class Report:
    """A receipt that verified. at: when it was carried out, seconds since 1970.

    policy_index, roster_index: entries of the policy and (where there were approvals) the roster in force.
    artifacts: names of the subjects whose files were given and are the same.
    newer_keys: signed with, and not in the pins yet.
    delivered: SHA-256 (hex) of the header that a request to decrypt has made, else empty.
    """

    service: str
    request: str
    kind: str
    project: str
    version: str
    commit: str
    requester: dict[str, str]
    at: int
    checkpoint: Checkpoint
    policy_index: int
    roster_index: int | None
    subjects: tuple[Subject, ...]
    approvals: tuple[ApprovedBy, ...]
    signatures: tuple[SignatureSeen, ...]
    artifacts: tuple[str, ...]
    published: tuple[PublishedItem, ...]
    newer_keys: tuple[str, ...]
    steps: tuple[Step, ...]
    delivered: str = ""

    @property
    def at_hand(self) -> tuple[str, ...]:
        """Names of the subjects that this says something about: the file was given as it was asked for, or with a
        signature in it that verified."""
        inside = {one.artifact for one in self.signatures if one.checked}
        return tuple(one.name for one in self.subjects if one.name in self.artifacts or one.name in inside)
