"""Rosters: what they say, and the mistakes that are refused with their line."""

from __future__ import annotations

from pathlib import Path

import pytest
from ssh_signers import Authenticator

from hsmpub.approval import load_roster
from hsmpub.approval import roster as rule
from hsmpub.model.toml_lines import TomlSyntax

KEYS = [Authenticator().line for _ in range(4)]
GOOD = f"""\
[person.manager-1]
groups = ["managers"]
keys = ["{KEYS[0]}"]

[person.lead-1]
groups = ["leads", "managers"]
keys = [
  "{KEYS[1]}",
  "{KEYS[2]}",
]
ci_actors = ["github:lead-one"]

[person.leaver]
groups = ["leads", "former"]
keys = ["{KEYS[3]}"]
revoked = true
"""


def test_the_example_loads() -> None:
    roster = load_roster((Path(__file__).parents[2] / "deploy" / "example" / "roster.toml").read_text())
    assert len(roster.groups["managers"]) == 4
    assert roster.groups["sdk-leads"] == {"sdk-lead"}


def test_groups_hold_people_who_are_not_revoked() -> None:
    roster = load_roster(GOOD)
    assert roster.groups == {"managers": {"manager-1", "lead-1"}, "leads": {"lead-1"}, "former": frozenset()}
    assert roster.is_active("lead-1")
    assert not roster.is_active("leaver")
    assert not roster.is_active("stranger")
    assert roster.active_groups("leaver") == roster.active_groups("stranger") == frozenset()


def line_of(text: str, mark: str) -> int:
    return text[: text.index(mark)].count("\n") + 1


@pytest.mark.parametrize(
    ("old", "new", "refusal", "mark"),
    [
        ("ci_actors", "ci_actor", rule.UnknownRosterKey, "ci_actor"),
        ("[person.leaver]", "[persons.leaver]", rule.UnknownRosterKey, "[persons.leaver]"),
        ("revoked = true", 'revoked = "yes"', rule.WrongRosterValue, "revoked ="),
        ("revoked = true", "revoked = 1", rule.WrongRosterValue, "revoked ="),
        ('groups = ["managers"]\n', "", rule.WrongRosterValue, "[person.manager-1]"),
        ('groups = ["managers"]', 'groups = ["managers", "managers"]', rule.WrongRosterValue, "groups ="),
        ('groups = ["managers"]', 'groups = ["man agers"]', rule.WrongRosterValue, "groups ="),
        (f'keys = ["{KEYS[0]}"]', "keys = []", rule.WrongRosterValue, "keys = []"),
        (f'keys = ["{KEYS[0]}"]', f'keys = ["{KEYS[0][:-30]}"]', rule.PersonKeyRefused, "keys ="),
        (f'keys = ["{KEYS[0]}"]', 'keys = ["ssh-dss AAAAB3NzaC1kc3M="]', rule.PersonKeyRefused, "ssh-dss"),
        (f'  "{KEYS[2]}"', f'  "{KEYS[0]} other comment"', rule.KeyOfTwoPersons, "other comment"),
        (f'  "{KEYS[2]}"', f'  "{KEYS[1]} again"', rule.KeyOfTwoPersons, "again"),
        (f'keys = ["{KEYS[3]}"]', f'keys = ["{KEYS[0]} revoked"]', rule.KeyOfTwoPersons, "revoked"),
        ('["github:lead-one"]', '["lead-one"]', rule.WrongRosterValue, "ci_actors"),
        ('["github:lead-one"]', '["github:lead-one", "github:Lead-One"]', rule.ActorOfTwoPersons, "ci_actors"),
        ("[person.leaver]", "[person.lead-1]", TomlSyntax, ""),
        ("[person.leaver]", '[person."a/b"]', rule.WrongRosterValue, '"a/b"'),
    ],
)
def test_refuses_each_mistake_with_its_line(old: str, new: str, refusal: type[rule.RosterRefused], mark: str) -> None:
    text = GOOD.replace(old, new, 1)
    assert text != GOOD
    with pytest.raises(refusal) as refused:
        load_roster(text)
    assert type(refused.value) is refusal
    if mark:
        assert refused.value.line == line_of(text, mark)


def test_refuses_a_roster_that_locks_everybody_out() -> None:
    for text in ("", "[person]\n"):
        with pytest.raises(rule.RosterRefused):
            load_roster(text)
    with pytest.raises(rule.RosterEmpty):
        load_roster(GOOD[GOOD.index("[person.leaver]") :])
