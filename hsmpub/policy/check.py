"""What the tables of a policy say about each other, about the service's keys and about the roster's groups.

Each check raises its own rule with the line. Ambiguity is refused here, not resolved later by order.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from hsmpub.model.key import KeyRecord
from hsmpub.model.toml_lines import TomlText
from hsmpub.policy import refusals as rule
from hsmpub.policy.bypass import check_no_bypass
from hsmpub.policy.check_project import check_project
from hsmpub.policy.check_targets import check_issuers, check_targets
from hsmpub.policy.checking import Checking, Groups
from hsmpub.policy.model import PolicyFile


def check_policy(
    policy: PolicyFile,
    toml: TomlText,
    *,
    keys: Mapping[str, KeyRecord],
    groups: Groups,
    retired: Collection[str] = (),
) -> None:
    """Raises a rule of `hsmpub.policy.refusals`."""
    check = Checking(policy, toml, keys, groups, retired)
    check_issuers(check)
    check_targets(check)
    for name, project in policy.projects.items():
        check_project(check, name, project)
    for kind, table in policy.administration:
        if table is not None:
            check.approvals(("administration", kind), table.approvals)
    check_no_bypass(policy, toml)
    _check_timestamping(check)


def _check_timestamping(check: Checking) -> None:
    """Its key signs for nobody else, and those who ask need nobody's approval."""
    table = check.policy.timestamping
    if table is None:
        return
    check.fit(table.key, "timestamp", check.line("timestamping", "key"))
    for name, project in check.policy.projects.items():
        if any(signs.key == table.key for signs in project.sign):
            raise rule.TimestampKeyShared(
                f"Project {name!r} signs with {table.key!r}, too.", line=check.line("timestamping", "key")
            )
    check.once(((p, ("timestamping", "projects", i)) for i, p in enumerate(table.projects)), "The same project")
    for i, asking in enumerate(table.projects):
        line = check.line("timestamping", "projects", i)
        if asking not in check.policy.projects:
            raise rule.UnknownReference(f"The policy has no project {asking!r}.", line=line)
        if check.policy.projects[asking].approvals:
            raise rule.TimestampAskerUnfit(f"Project {asking!r} takes approvals.", line=line)
