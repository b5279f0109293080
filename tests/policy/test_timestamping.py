"""A timestamp authority has a key of its own, says who may ask, and promises no more than its times can keep."""

from __future__ import annotations

import pytest
from good_policy import GOOD, GROUPS, KEYS

from hsmpub.model.key import KeyRecord
from hsmpub.policy import Policy, load_policy
from hsmpub.policy import refusals as rule
from hsmpub.policy.refusals import PolicyRefused

AUTHORITY = '\n[timestamping]\nkey = "time"\npolicy = "1.3.6.1.4.1.55555.1"\nanybody = true\n'
_KEYS = {**KEYS, "time": KeyRecord("time", "p256", "", 0, ("timestamp",))}


def load(text: str) -> Policy:
    return load_policy(text, keys=_KEYS, groups=GROUPS)


def test_a_policy_without_the_table_has_no_authority() -> None:
    assert load(GOOD).timestamping is None
    assert load(GOOD + AUTHORITY.replace("1.3.6.1.4.1.55555.1", f"2.25.{1 << 127}")).timestamping
    table = load(GOOD + AUTHORITY).timestamping
    assert table is not None
    assert (table.clock, table.accuracy, table.ordering) == ("kernel", 2, False)


@pytest.mark.parametrize(
    ("said", "instead", "refused"),
    [
        ("anybody = true", "", rule.WrongValue),
        ("anybody = true", 'anybody = true\nprojects = ["site"]', rule.WrongValue),
        ("anybody = true", "projects = []", rule.WrongValue),
        ("anybody = true", 'projects = ["sight"]', rule.UnknownReference),
        ("anybody = true", 'projects = ["site", "site"]', rule.SaidTwice),
        ("anybody = true", 'projects = ["sdk"]', rule.TimestampAskerUnfit),
        ("anybody = true", "anybody = true\naccuracy = 1", rule.WrongValue),
        ("anybody = true", 'anybody = true\nclock = "any"', rule.WrongValue),
        ("1.3.6.1.4.1.55555.1", "1.3.6.01", rule.WrongValue),
        ("1.3.6.1.4.1.55555.1", "3.1.1", rule.WrongValue),
        ("1.3.6.1.4.1.55555.1", "1.40.1", rule.WrongValue),
        ('"time"', '"none"', rule.UnknownSigningKey),
        ('"time"', '"release-p256"', rule.KeyNotMeantForFormat),
    ],
)
def test_what_is_loose_or_promises_too_much_is_refused(said: str, instead: str, refused: type[PolicyRefused]) -> None:
    with pytest.raises(refused):
        load(GOOD + AUTHORITY.replace(said, instead))


def test_a_key_that_a_project_signs_with_is_not_the_authoritys() -> None:
    shared = GOOD.replace(
        'formats = ["sshsig"] }]', 'formats = ["sshsig"] }, { key = "time", formats = ["timestamp"] }]'
    )
    assert load(shared)
    with pytest.raises(rule.TimestampKeyShared):
        load(shared + AUTHORITY)
