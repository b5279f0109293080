"""What a policy grants, as values; and why it grants nothing: one rule for each reason."""

from __future__ import annotations

from typing import Literal

import msgspec

from hsmpub.errors import Forbidden, NotFound
from hsmpub.model.predicate import Quorum, Signing, taken

PersonalKind = Literal["policy", "roster", "credential", "decrypt"]


class UnknownProject(NotFound):
    advice = "Check the project's name in the policy."


class ApprovalNeeded(Forbidden):
    advice = "Submit a release with 'hsmpub release submit'; approvers then co-sign it."


class NoRelease(Forbidden):
    advice = "Tokens and lists of revoked certificates are for routine work: 'hsmpub jwt', 'hsmpub certificate crl'."


class FormatNotGranted(Forbidden):
    advice = "Ask for formats that the policy lists for the project."


class KeyNotGranted(Forbidden):
    advice = "Name a key that the policy lists for the project, or none where one key makes all the formats."


class NothingToSign(Forbidden):
    advice = "Name the formats to make, each once."


class AdministrationClosed(Forbidden):
    advice = "The policy in force closed this kind of request. Adopt one that opens it, if policy requests are open."


class UnknownCredential(NotFound):
    advice = "Use the name that a target of the policy gives its credential."


class ReleaseGrant(msgspec.Struct, frozen=True):
    """expires: seconds that the request waits for approvals; empty approvals: none are needed.

    sign: all that some file takes; files: name → formats, of those that do not take all.
    targets: name → targets, of files that do not go to all that take files.
    """

    project: str
    sign: tuple[Signing, ...]
    publish: tuple[str, ...]
    approvals: tuple[Quorum, ...]
    expires: int
    files: dict[str, tuple[str, ...]] = {}
    targets: dict[str, tuple[str, ...]] = {}

    def of(self, file: str) -> tuple[Signing, ...]:
        """What is made of one file."""
        return taken(self.sign, self.files.get(file, ()))


class SignGrant(msgspec.Struct, frozen=True):
    """Routine signing: no approval is needed. expires: seconds."""

    project: str
    key: str
    formats: tuple[str, ...]
    expires: int


class PersonalGrant(msgspec.Struct, frozen=True):
    """approvals: at least one; expires: seconds."""

    kind: PersonalKind
    approvals: tuple[Quorum, ...]
    expires: int
