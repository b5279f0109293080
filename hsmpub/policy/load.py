"""Read a policy file: every refusal has a name and a line, and nothing is passed over in silence.

Order: TOML → the shape of each table → what the tables say about each other, about the keys and about the roster.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pydantic import ValidationError

from hsmpub.model.key import KeyRecord
from hsmpub.model.toml_lines import TomlText, load_toml
from hsmpub.model.toml_walk import Path
from hsmpub.policy import refusals as rule
from hsmpub.policy.check import check_policy
from hsmpub.policy.decide import Policy


def load_policy(
    text: str,
    *,
    keys: Mapping[str, KeyRecord],
    groups: Collection[str] | Mapping[str, Collection[str]],
    retired: Collection[str] = (),
) -> Policy:
    """The policy that a file states.

    Args:
        text: the whole TOML file.
        keys: the service's keys by name, as the ceremony recorded them.
        groups: names of the roster's groups; given with their people, quorums larger than the group are refused.
        retired: names of keys that sign nothing any more; a policy that names one is refused.

    Raises:
        PolicyRefused: one of its subclasses (`hsmpub.policy.refusals`), with the line.
        TomlSyntax, InvisibleCharacter, FileTooLong: with the line.
    """
    toml = load_toml(text, file="policy")
    try:
        policy = Policy.model_validate(toml.data)
    except ValidationError as e:
        raise _first_refusal(e, toml) from None
    check_policy(policy, toml, keys=keys, groups=groups, retired=retired)
    return policy


def _first_refusal(error: ValidationError, toml: TomlText) -> rule.PolicyRefused:
    """The refusal of the earliest line."""
    found = []
    for problem in error.errors(include_url=False, include_input=False, include_context=False):
        path = tuple(part for part in problem["loc"] if part not in ("claims", "[key]"))
        found.append((toml.line_of(path), path, problem["type"], problem["msg"]))
    line, path, kind, message = min(found, key=lambda f: f[0])
    where = _dotted(path)
    if kind == "extra_forbidden":
        return rule.UnknownKey(f"{where!r} is not a key of a policy.", line=line)
    if kind == "missing" and path[-1] == "approvals":
        return rule.ApprovalsUnstated(f"{_dotted(path[:-1])!r} does not say whose approvals it takes.", line=line)
    if kind == "missing":
        return rule.MissingKey(f"{_dotted(path[:-1])!r} lacks {str(path[-1])!r}.", line=line)
    return rule.WrongValue(f"{where!r}: {message.removeprefix('Value error, ')}.", line=line)


def _dotted(path: Path) -> str:
    return ".".join(str(part) for part in path)
