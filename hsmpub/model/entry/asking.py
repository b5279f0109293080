"""Who asks for what, and who agrees."""

from __future__ import annotations

from hsmpub.model.entry.fact import Fact


class SessionOpened(Fact, frozen=True, tag="session"):
    """A CI identity token was used, once. `token_id` = SHA-256 over issuer and jti, hex. bearer: requests of the
    session are not authenticated one by one (hsmpub.keeper.bearers)."""

    session: str
    issuer: str
    subject: str
    token_id: str
    token_expires_at: int
    claims: dict[str, str]
    bearer: bool = False


class Requested(Fact, frozen=True, tag="request"):
    """A request exists. `statement` is the exact text that approvers sign (UTF-8 JSON)."""

    request: str
    statement: str


class Approved(Fact, frozen=True, tag="approval"):
    """`signature`: armoured SSHSIG over the DSSE PAE of the statement, namespace `hsmpub-approval`."""

    request: str
    person: str
    signature: str


class Declined(Fact, frozen=True, tag="refusal"):
    """An approver refused: final. Namespace of the signature: `hsmpub-refusal`."""

    request: str
    person: str
    signature: str


class Expired(Fact, frozen=True, tag="expiry"):
    """A pending request ended: its time was over, or, with a `reason`, what it was asked under changed."""

    request: str
    reason: str = ""
