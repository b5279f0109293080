"""What the adopted policy answers: may this one ask this, and whose approvals does it take?

Pure: no clock, no look-ups. Each method raises its rule or returns what is granted, which goes into the statement.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

import msgspec

from hsmpub.errors import Forbidden, HsmpubError, NotFound
from hsmpub.identity.ci import CiIdentity
from hsmpub.model.glob import is_match
from hsmpub.model.predicate import Profiles, Quorum, Signing
from hsmpub.policy.model import TUF_FORMATS, Approvals, PolicyFile, Project, Requester
from hsmpub.policy.profile_check import JWT, SSH_CERTIFICATE, X509_CERTIFICATE, X509_CRL
from hsmpub.policy.version import check_version

PersonalKind = Literal["policy", "roster", "credential", "decrypt"]


class UnknownProject(NotFound):
    advice = "Check the project's name in the policy."


class NotARequester(Forbidden):
    advice = "Run the job where the policy says, or have a requester added to the project."


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
    """expires: seconds that the request waits for approvals; empty approvals: none are needed."""

    project: str
    sign: tuple[Signing, ...]
    publish: tuple[str, ...]
    approvals: tuple[Quorum, ...]
    expires: int


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


class Policy(PolicyFile):
    """A policy that passed `load_policy`."""

    def decide_release(self, who: CiIdentity, project: str, version: str) -> ReleaseGrant:
        """Raises UnknownProject, NotARequester, NoRelease, VersionOutsideScheme."""
        table = self._project_for(who, project)
        if table.jwt is not None or table.crl is not None:
            raise NoRelease(f"What project {project!r} signs is no release.")
        check_version(version, table.versions)
        return ReleaseGrant(
            project=project,
            sign=tuple(Signing(s.key, s.formats) for s in table.sign),
            publish=table.publish,
            approvals=_quorums(table.approvals),
            expires=table.expires,
        )

    def check_routine(self, who: CiIdentity, project: str) -> None:
        """Whether the identity may have anything of the project signed without approvals.

        Raises:
            UnknownProject, NotARequester, ApprovalNeeded.
        """
        if self._project_for(who, project).approvals:
            raise ApprovalNeeded(f"Signatures for project {project!r} take approvals.")

    def decide_sign(self, who: CiIdentity, project: str, key: str, formats: Sequence[str]) -> SignGrant:
        """Routine signing with `key`, or, where it is empty, with the one key that makes all the formats.

        Raises:
            UnknownProject, NotARequester, ApprovalNeeded, NothingToSign, KeyNotGranted, FormatNotGranted.
        """
        table = self._project_for(who, project)
        if table.approvals:
            raise ApprovalNeeded(f"Signatures for project {project!r} take approvals.")
        if not formats or len(set(formats)) != len(formats):
            raise NothingToSign("The request names no format, or one twice.")
        allowed = {s.key: s.formats for s in table.sign if not key or s.key == key}
        if not allowed:
            raise KeyNotGranted(f"Project {project!r} does not sign with {'any key' if not key else repr(key)}.")
        for name, granted in allowed.items():
            if set(formats) <= set(granted):
                return SignGrant(project, name, tuple(formats), table.expires)
        raise FormatNotGranted(f"No one key of project {project!r} makes {', '.join(formats)[:200]}.")

    def decide_signatures(self, who: CiIdentity, project: str, key: str, formats: Sequence[str]) -> tuple[Signing, ...]:
        """As `decide_sign`; where no key is named and no one key makes all the formats, each by the key that makes it.

        Raises:
            As `decide_sign`.
        """
        try:
            grant = self.decide_sign(who, project, key, formats)
        except FormatNotGranted:
            if key:
                raise
        else:
            return (Signing(grant.key, grant.formats),)
        makers = {name: self.decide_sign(who, project, "", (name,)).key for name in formats}
        return tuple(
            Signing(maker, tuple(name for name in formats if makers[name] == maker))
            for maker in dict.fromkeys(makers.values())
        )

    def decide_granted(
        self, who: CiIdentity, project: str, key: str, formats: Sequence[str]
    ) -> tuple[tuple[Signing, ...], dict[str, HsmpubError]]:
        """As `decide_signatures`, of those formats that are granted; and why the others are not.

        Raises:
            As `decide_sign`; FormatNotGranted: none is granted.
        """
        refused: dict[str, HsmpubError] = {}
        try:
            return self.decide_signatures(who, project, key, formats), refused
        except FormatNotGranted as whole:
            for name in formats:
                try:
                    self.decide_sign(who, project, key, (name,))
                except FormatNotGranted as error:
                    refused[name] = error
            granted = [name for name in formats if name not in refused]
            if not granted:
                raise whole from None
        return self.decide_signatures(who, project, key, granted), refused

    def profiles(self, project: str, sign: Sequence[Signing]) -> Profiles:
        """What certificates and tokens of the project say, where some are among the signatures."""
        table = self.projects[project]
        makers = {name: one.key for one in sign for name in one.formats}
        return Profiles(
            ssh=table.ssh_certificate.as_profile() if table.ssh_certificate and SSH_CERTIFICATE in makers else None,
            jwt=table.jwt.as_profile(makers[JWT]) if table.jwt and JWT in makers else None,
            certificate=table.certificate.as_profile() if table.certificate and X509_CERTIFICATE in makers else None,
            crl=table.crl.as_profile() if table.crl and X509_CRL in makers else None,
        )

    def tuf_longest(self, project: str, sign: Sequence[Signing]) -> int:
        """Seconds until TUF metadata of the project may expire at most; 0: as its role has it, or there is none."""
        makes = any(name in TUF_FORMATS for one in sign for name in one.formats)
        return (self.projects[project].tuf_longest or 0) if makes else 0

    def decide_personal(self, kind: PersonalKind, *, credential: str = "") -> PersonalGrant:
        """Raises AdministrationClosed, UnknownCredential."""
        rule = getattr(self.administration, kind)
        if rule is None:
            raise AdministrationClosed(f"The policy lets nobody ask for a request of the kind {kind!r}.")
        if kind == "credential" and credential not in self.credentials:
            raise UnknownCredential(f"No target of the policy uses a credential {credential[:80]!r}.")
        return PersonalGrant(kind, _quorums(rule.approvals), rule.expires)

    @property
    def credentials(self) -> Collection[str]:
        """Names of the credentials that targets use."""
        return {target.credential for target in self.targets.values()}

    def _project_for(self, who: CiIdentity, project: str) -> Project:
        table = self.projects.get(project)
        if table is None:
            raise UnknownProject(f"The policy has no project {project[:80]!r}.")
        if not any(is_requester(rule, who) for rule in table.requesters):
            raise NotARequester(
                f"The identity {who.subject[:200]!r} of issuer {who.issuer!r} may not ask for project {project!r}"
                f"{_difference(table, who)}."
            )
        return table


def is_requester(rule: Requester, who: CiIdentity) -> bool:
    """Whether the identity is of the rule's issuer and carries all its claims."""
    return rule.issuer == who.issuer and not _unmatched(rule, who)


def _unmatched(rule: Requester, who: CiIdentity) -> list[str]:
    found = {name: who.claim(name) for name in rule.claims}
    return [name for name, value in found.items() if value is None or not is_match(rule.claims[name], value)]


def _difference(project: Project, who: CiIdentity) -> str:
    """For a person who debugs a job: the claim in the way, of the rule that comes nearest."""
    rules = [rule for rule in project.requesters if rule.issuer == who.issuer]
    if not rules:
        return ", whose requesters come from another issuer"
    nearest = min(rules, key=lambda rule: len(_unmatched(rule, who)))
    name = _unmatched(nearest, who)[0]
    return f": {name!r} is {(who.claim(name) or '')[:200]!r}, and the policy asks {nearest.claims[name]!r}"


def _quorums(approvals: Sequence[Approvals]) -> tuple[Quorum, ...]:
    return tuple(a.as_quorum() for a in approvals)
