"""What went out, or was opened for somebody."""

from __future__ import annotations

from typing import Literal

from hsmpub.model.entry.fact import Fact


class PublishIntent(Fact, frozen=True, tag="publish-intent"):
    """Durable before the credential is opened. `credential_sha256` names the sealed blob that is leased."""

    request: str
    target: str
    item: str
    sha256: str
    attempt: int
    credential_sha256: str


PublishResult = Literal["accepted", "already-same", "conflict", "failed", "unknown"]


class PublishOutcome(Fact, frozen=True, tag="publish-outcome"):
    """What the courier read back. `observed`: digest that the target shows, or empty."""

    request: str
    target: str
    item: str
    attempt: int
    result: PublishResult
    observed: str = ""
    detail: str = ""


class CredentialSealed(Fact, frozen=True, tag="credential"):
    """A credential is live for its target; it replaces the one before. Only the sealed blob's digest is here."""

    name: str
    sealed_sha256: str
    request: str


class Delivered(Fact, frozen=True, tag="delivery"):
    """An approved request to decrypt was carried out: a header for its recipient exists. Only its digest is here; the
    header itself is encrypted to the recipient, and kept for its asker for some days."""

    request: str
    header_sha256: str


class NotDelivered(Fact, frozen=True, tag="no-delivery"):
    """An approved request to decrypt came to nothing, for good: `reason` is a rule."""

    request: str
    reason: str
