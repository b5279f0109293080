"""No way around somebody's approvals: what the projects of a policy may not have in common.

Each project alone is in order (hsmpub.policy.check); together, one that takes no approvals, or others, could have made
what another has approved.
"""

from __future__ import annotations

from itertools import combinations

from hsmpub.formats.purposes import ROUTINE_FORMATS
from hsmpub.model.glob import may_both_match
from hsmpub.model.toml_lines import TomlText
from hsmpub.policy import refusals as rule
from hsmpub.policy.model import PolicyFile
from hsmpub.policy.project import Project, Requester


def check_no_bypass(policy: PolicyFile, toml: TomlText) -> None:
    """Raises AmbiguousRequester, TagKeyWithoutApprovals, ReleaseKeyWithoutApprovals."""
    _check_requesters(policy, toml)
    _check_tag_keys(policy, toml)
    _check_release_keys(policy, toml)


def may_both_be(a: Requester, b: Requester) -> bool:
    """Whether one token can match both rules."""
    shared = set(a.claims) & set(b.claims)
    return a.issuer == b.issuer and all(may_both_match(a.claims[name], b.claims[name]) for name in shared)


def _check_requesters(policy: PolicyFile, toml: TomlText) -> None:
    """One job, two projects, one key or target, and approvals for one only: a way around the approvals."""
    for (name, a), (other, b) in combinations(policy.projects.items(), 2):
        shared = _shared(a, b)
        if set(a.approvals) == set(b.approvals) or not shared:
            continue
        for i, requester in enumerate(b.requesters):
            if any(may_both_be(requester, earlier) for earlier in a.requesters):
                raise rule.AmbiguousRequester(
                    f"a job that fits this requester of {other!r} may ask for {name!r} (line "
                    f"{toml.line_of(('project', name))}) too: both have {shared}, and they take different approvals.",
                    line=toml.line_of(("project", other, "requesters", i)),
                )


def _shared(a: Project, b: Project) -> str:
    """What both can have made, in words; empty: nothing."""

    def made(project: Project) -> set[tuple[str, str]]:
        return {(s.key, name) for s in project.sign for name in s.formats}

    signed, published = sorted(made(a) & made(b)), sorted(set(a.publish) & set(b.publish))
    if signed:
        return f"{signed[0][1]!r} made by the key {signed[0][0]!r}"
    return f"the target {published[0]!r}" if published else ""


def _check_tag_keys(policy: PolicyFile, toml: TomlText) -> None:
    """A signed tag is a signature over bytes that anybody can write down: a job that has files signed without
    approval would have tags of any version signed."""
    tagging = {target.key: name for name, target in policy.targets.items() if target.kind == "git"}
    for name, project in policy.projects.items():
        for i, signs in enumerate(project.sign):
            if signs.key in tagging and not project.approvals:
                raise rule.TagKeyWithoutApprovals(
                    f"{signs.key!r} signs the tags of {tagging[signs.key]!r}, and project {name!r} takes no"
                    " approvals for what it has signed.",
                    line=toml.line_of(("project", name, "sign", i, "key")),
                )


def _check_release_keys(policy: PolicyFile, toml: TomlText) -> None:
    """What a key signs without approval looks like what it signs with: whoever trusts the key cannot tell. A CA's list
    of revoked certificates looks like no certificate, so it may go without."""
    approved = {signs.key: name for name, p in policy.projects.items() if p.approvals for signs in p.sign}
    for name, project in policy.projects.items():
        for i, signs in enumerate(project.sign):
            if signs.key in approved and not project.approvals and not ROUTINE_FORMATS.issuperset(signs.formats):
                raise rule.ReleaseKeyWithoutApprovals(
                    f"{signs.key!r} signs what is approved for {approved[signs.key]!r} (line "
                    f"{toml.line_of(('project', approved[signs.key]))}), and project {name!r} takes no approvals for "
                    "what it has signed.",
                    line=toml.line_of(("project", name, "sign", i, "key")),
                )
