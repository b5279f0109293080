"""What the tables of a policy say about each other, about the service's keys and about the roster's groups.

Each check raises its own rule with the line. Ambiguity is refused here, not resolved later by order.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping
from itertools import combinations

from hsmpub.formats.purposes import PurposesMixed, check_purposes
from hsmpub.formats.registry import FORMATS
from hsmpub.identity.ci import REGISTERED, RESERVED
from hsmpub.model.glob import is_wild
from hsmpub.model.key import KeyRecord
from hsmpub.model.toml_lines import TomlText
from hsmpub.model.toml_walk import Path
from hsmpub.policy import refusals as rule
from hsmpub.policy.address import check_tag, check_url
from hsmpub.policy.bypass import check_no_bypass, may_both_be
from hsmpub.policy.lists import GIVEN_PREDICATE, IMAGE_FORMATS
from hsmpub.policy.model import Approvals, PolicyFile, Project, Requester, Target
from hsmpub.policy.profile_check import check_profiles

Groups = Collection[str] | Mapping[str, Collection[str]]


def check_policy(
    policy: PolicyFile,
    toml: TomlText,
    *,
    keys: Mapping[str, KeyRecord],
    groups: Groups,
    retired: Collection[str] = (),
) -> None:
    """Raises a rule of `hsmpub.policy.refusals`."""
    check = _Check(policy, toml, keys, groups, retired)
    check.issuers()
    check.targets()
    for name, project in policy.projects.items():
        check.project(name, project)
    for kind, table in policy.administration:
        if table is not None:
            check.approvals(("administration", kind), table.approvals)
    check_no_bypass(policy, toml)
    check.timestamping()


class _Check:
    def __init__(
        self,
        policy: PolicyFile,
        toml: TomlText,
        keys: Mapping[str, KeyRecord],
        groups: Groups,
        retired: Collection[str],
    ) -> None:
        self.policy, self.toml, self.keys, self.groups, self.retired = policy, toml, keys, groups, retired

    def _line(self, *path: str | int) -> int:
        return self.toml.line_of(path)

    def _once(self, values: Iterable[tuple[Hashable, Path]], what: str) -> None:
        seen: dict[Hashable, int] = {}
        for value, path in values:
            line = self._line(*path)
            if value in seen:
                raise rule.SaidTwice(f"{what} stands in line {seen[value]} already.", line=line)
            seen[value] = line

    def issuers(self) -> None:
        for name, issuer in self.policy.issuers.items():
            check_url(issuer.url, issuer.loopback, line=self._line("issuer", name, "url"))
        issuers = self.policy.issuers.items()
        self._once(((issuer.url, ("issuer", n, "url")) for n, issuer in issuers), "The same issuer's URL")

    def targets(self) -> None:
        seen: dict[str, str] = {}
        for name, target in self.policy.targets.items():
            check_url(target.url, target.loopback, line=self._line("target", name, "url"))
            self._index(name, target)
            line = self._line("target", name, "credential")
            if target.credential in seen:
                raise rule.CredentialShared(f"Target {seen[target.credential]!r} has this credential.", line=line)
            seen[target.credential] = name
            self._tag(name, target)
        targets = self.policy.targets.items()
        self._once((((t.kind, t.url.rstrip("/"), t.tag), ("target", n, "url")) for n, t in targets), "The same target")

    def _index(self, name: str, target: Target) -> None:
        """What is uploaded is read back from the index, so a pypi target names it; no other has one."""
        line = self._line("target", name, "index" if target.index else "kind")
        if (target.kind == "pypi") != bool(target.index):
            raise rule.IndexRefused(
                f"Target {name!r} {'does not say where its index is' if not target.index else 'has no index'}.",
                line=line,
            )
        if target.index:
            check_url(target.index, target.loopback, line=line)

    def _tag(self, name: str, target: Target) -> None:
        tag_line, key_line = self._line("target", name, "tag"), self._line("target", name, "key")
        if target.kind != "git":
            if target.tag or target.key:
                line = tag_line if target.tag else key_line
                raise rule.TagRefused(f"Target {name!r} is not git and has no tags.", line=line)
            return
        check_tag(target.tag, line=tag_line)
        if not target.key:
            raise rule.TagRefused(f"Target {name!r} does not say which key signs its tags.", line=tag_line)
        self._fit(target.key, "openpgp", key_line)

    def project(self, name: str, project: Project) -> None:
        path: Path = ("project", name)
        for i, requester in enumerate(project.requesters):
            self._requester((*path, "requesters", i), requester)
        for (i, a), (j, b) in combinations(enumerate(project.requesters), 2):
            if set(a.claims) == set(b.claims) and may_both_be(a, b):
                first, line = self._line(*path, "requesters", i), self._line(*path, "requesters", j)
                raise rule.SaidTwice(f"a token can match this requester and the one of line {first}.", line=line)
        self._once(((s.key, (*path, "sign", i, "key")) for i, s in enumerate(project.sign)), "The same key")
        made = [(f, (*path, "sign", i, "formats", k))
                for i, s in enumerate(project.sign) for k, f in enumerate(s.formats)]  # fmt: skip
        self._once(made, "The same format")
        for i, signs in enumerate(project.sign):
            for k, format_name in enumerate(signs.formats):
                self._fit(signs.key, format_name, self._line(*path, "sign", i, "formats", k))
        check_profiles(name, project, {format_name for format_name, _ in made}, line=self._line(*path))
        self._lists(path, project, {name for name, _ in made})
        self._once(((t, (*path, "publish", i)) for i, t in enumerate(project.publish)), "The same target")
        for i, target in enumerate(project.publish):
            if target not in self.policy.targets:
                line = self._line(*path, "publish", i)
                raise rule.UnknownReference(f"The policy has no target {target!r}.", line=line)
        self.approvals(path, project.approvals)

    def _lists(self, path: Path, project: Project, made: set[str]) -> None:
        """Whoever makes signatures over images, or over predicates, says of which; nobody else does."""
        if bool(made & IMAGE_FORMATS) > bool(project.images):
            raise rule.ImagesUnstated("a project that signs images lists their repositories.", line=self._line(*path))
        if (GIVEN_PREDICATE in made) != bool(project.predicates):
            raise rule.PredicatesUnstated(
                f"{GIVEN_PREDICATE!r} and a list of predicates go together.", line=self._line(*path)
            )
        for name in ("images", "predicates"):
            self._once(((one, (*path, name, i)) for i, one in enumerate(getattr(project, name))), "The same")

    def _requester(self, path: Path, requester: Requester) -> None:
        line = self._line(*path)
        if requester.issuer not in self.policy.issuers:
            raise rule.UnknownReference(f"The policy has no issuer {requester.issuer!r}.", line=line)
        for claim in requester.claims:
            if claim in (REGISTERED | RESERVED) - {"sub"}:
                raise rule.ClaimReserved(f"{claim!r} cannot be asked of a token.", line=self._line(*path, claim))
        if all(map(is_wild, requester.claims.values())):
            raise rule.RequesterWithoutClaim("this requester pins no claim to any text.", line=line)

    def _fit(self, key: str, format_name: str, line: int) -> None:
        if key in self.retired:
            raise rule.SigningKeyRetired(f"The key {key!r} was retired: it signs nothing any more.", line=line)
        record = self.keys.get(key)
        if record is None:
            raise rule.UnknownSigningKey(f"The service has no key {key!r}.", line=line)
        if format_name not in FORMATS:
            raise rule.UnknownFormat(f"There is no format {format_name!r}; there are {', '.join(FORMATS)}.", line=line)
        if record.kind not in FORMATS[format_name].key_kinds:
            raise rule.KeyUnfitForFormat(f"{record.kind} keys make no {format_name}.", line=line)
        if format_name not in record.formats:
            raise rule.KeyNotMeantForFormat(f"The ceremony did not make {key!r} for {format_name}.", line=line)
        try:
            check_purposes(record)
        except PurposesMixed as e:
            raise rule.KeyPurposesMixed(e.detail, line=line, next_step=e.next_step) from None

    def approvals(self, path: Path, approvals: Iterable[Approvals]) -> None:
        asked = list(enumerate(approvals))
        self._once(((a.group, (*path, "approvals", i)) for i, a in asked), "The same group")
        for i, quorum in asked:
            line = self._line(*path, "approvals", i)
            if quorum.group not in self.groups:
                raise rule.UnknownGroup(f"The roster has no group {quorum.group!r}.", line=line)
            if isinstance(self.groups, Mapping) and len(self.groups[quorum.group]) < quorum.count:
                people = len(self.groups[quorum.group])
                raise rule.QuorumOutOfReach(f"Group {quorum.group!r} has {people}, not {quorum.count}.", line=line)

    def timestamping(self) -> None:
        """Its key signs for nobody else, and those who ask need nobody's approval."""
        table = self.policy.timestamping
        if table is None:
            return
        self._fit(table.key, "timestamp", self._line("timestamping", "key"))
        for name, project in self.policy.projects.items():
            if any(signs.key == table.key for signs in project.sign):
                raise rule.TimestampKeyShared(
                    f"Project {name!r} signs with {table.key!r}, too.", line=self._line("timestamping", "key")
                )
        self._once(((p, ("timestamping", "projects", i)) for i, p in enumerate(table.projects)), "The same project")
        for i, asking in enumerate(table.projects):
            line = self._line("timestamping", "projects", i)
            if asking not in self.policy.projects:
                raise rule.UnknownReference(f"The policy has no project {asking!r}.", line=line)
            if self.policy.projects[asking].approvals:
                raise rule.TimestampAskerUnfit(f"Project {asking!r} takes approvals.", line=line)
