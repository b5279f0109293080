"""Read a policy file: every refusal has a name and a line, and nothing is passed over in silence.

Order: TOML → the shape of each table → what the tables say about each other, about the keys and about the roster.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pydantic import ValidationError

from hsmpub.model.key import KeyRecord
from hsmpub.model.toml_lines import TomlText, load_toml
from hsmpub.model.toml_words import dotted, first_problem, wrong_value
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
    problems = error.errors(include_url=False, include_input=False)
    line, path, problem = first_problem(problems, toml.line_of, skip=("claims",))
    kind = problem["type"]
    if kind == "extra_forbidden":
        return rule.UnknownKey(f"{dotted(path)!r} is not a key of a policy.", line=line)
    if kind == "missing" and path[-1] == "approvals":
        return rule.ApprovalsUnstated(f"{dotted(path[:-1])!r} does not say whose approvals it takes.", line=line)
    if kind == "missing":
        return rule.MissingKey(f"{dotted(path[:-1])!r} lacks {str(path[-1])!r}.", line=line)
    return rule.WrongValue(wrong_value(path, problem), line=line)
