"""What the adopted policy answers: may this one ask this, and whose approvals does it take?

Pure: no clock, no look-ups. Each method raises its rule or returns what is granted, which goes into the statement.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import chain

from hsmpub.errors import HsmpubError, again
from hsmpub.identity.ci import CiIdentity
from hsmpub.model.predicate import Profiles, Quorum, Signing
from hsmpub.policy.by_file import patterns_of, release_formats, release_targets, signings
from hsmpub.policy.grants import (
    AdministrationClosed,
    ApprovalNeeded,
    FormatNotGranted,
    KeyNotGranted,
    NoRelease,
    NothingToSign,
    PersonalGrant,
    PersonalKind,
    ReleaseGrant,
    SignGrant,
    UnknownCredential,
    UnknownProject,
)
from hsmpub.policy.model import PolicyFile
from hsmpub.policy.profile_check import JWT, SSH_CERTIFICATE, X509_CERTIFICATE, X509_CRL
from hsmpub.policy.project import TUF_FORMATS, Approvals, Project
from hsmpub.policy.requesters import check_requester
from hsmpub.policy.version import check_version


class Policy(PolicyFile):
    """A policy that passed `load_policy`."""

    def decide_release(self, who: CiIdentity, project: str, version: str, files: Sequence[str]) -> ReleaseGrant:
        """A release of files of these names. An entry that is for none of them is no part of it.

        Raises:
            UnknownProject, NotARequester, NoRelease, VersionOutsideScheme, FileNotCovered, TargetWithoutFiles.
        """
        table = self._project_for(who, project)
        if table.jwt is not None or table.crl is not None:
            raise NoRelease(f"What project {project!r} signs is no release.")
        check_version(version, table.versions)
        formats = release_formats(project, table, files)
        every = set(chain.from_iterable(formats.values()))
        targets = {name: self.targets[name] for name in table.publish if name in self.targets}
        return ReleaseGrant(
            project=project,
            sign=signings(table, every),
            publish=table.publish,
            approvals=_quorums(table.approvals),
            expires=table.expires,
            files={name: own for name, own in formats.items() if len(own) < len(every)},
            targets=release_targets(targets, files),
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
        allowed = {one.key: one.formats for one in signings(table) if not key or one.key == key}
        if not allowed:
            raise KeyNotGranted(f"Project {project!r} does not sign with {'any key' if not key else repr(key)}.")
        for name, granted in allowed.items():
            if set(formats) <= set(granted):
                return SignGrant(project, name, tuple(formats), table.expires)
        makes = "; ".join(", ".join(granted) for granted in allowed.values())
        raise FormatNotGranted(
            f"No one key of project {project!r} makes {', '.join(formats)[:200]}. Its keys make: {makes[:400]}."
        )

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
                    refused[name] = again(error)
            granted = [name for name in formats if name not in refused]
            if not granted:
                raise whole from None
        return self.decide_signatures(who, project, key, granted), refused

    def patterns(self, project: str) -> dict[str, tuple[str, ...]]:
        """Format → names of the files that it may be made of (`by_file.check_formats`)."""
        return patterns_of(self.projects[project])

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
        check_requester(table, project, who)
        return table


def _quorums(approvals: Sequence[Approvals]) -> tuple[Quorum, ...]:
    return tuple(a.as_quorum() for a in approvals)
