"""A project of tokens says who issues them, to whom, about whom and for how long; anything looser is refused."""

from __future__ import annotations

import pytest
from good_policy import GOOD, KEYS, load

from hsmpub.model.key import KeyRecord
from hsmpub.model.predicate import Signing
from hsmpub.model.profiles import JwtProfile
from hsmpub.policy import refusals as rule

PROJECT = """
[project.app]
requesters = [{ issuer = "ci", repository = "acme/app" }]
sign = [{ key = "tokens", formats = ["jwt"] }]
approvals = []
[project.app.jwt]
issuer = "12345"
subject = ["repo:acme/*"]
audience = "https://api.acme.example"
valid = "10m"
claims = { scope = ["read", "write:*"] }
"""


@pytest.fixture(autouse=True)
def token_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KEYS, "tokens", KeyRecord("tokens", "ed25519", "", 0, ("jwt",)))


def test_the_statement_says_the_profile() -> None:
    policy = load(GOOD + PROJECT)
    profiles = policy.profiles("app", (Signing("tokens", ("jwt",)),))
    assert profiles.jwt == JwtProfile(
        "tokens", "JWT", 600,
        {"iss": ("12345",), "sub": ("repo:acme/*",), "aud": ("https://api.acme.example",),
         "scope": ("read", "write:*")},
    )  # fmt: skip
    assert (profiles.ssh, profiles.certificate, profiles.crl) == (None, None, None)


@pytest.mark.parametrize(
    ("said", "instead"),
    [
        ('issuer = "12345"', 'issuer = "*"'),
        ('["repo:acme/*"]', '["repo:acme/*", "*/*"]'),
        ('audience = "https://api.acme.example"', 'audience = ["*"]'),
        ('valid = "10m"', 'valid = "25h"'),
        ('valid = "10m"', 'valid = "5m"\nearly = "5m"'),
        ('valid = "10m"', 'valid = "10m"\nearly = "6m"'),
        ('valid = "10m"', 'valid = "10m"\ntype = "J W T"'),
        ('valid = "10m"', 'valid = "10m"\nkey_id = ""'),
        ('valid = "10m"', 'valid = "10m"\nfree = ["scope"]'),
        ('valid = "10m"', 'valid = "10m"\nfree = ["exp"]'),
        ("scope =", "iat ="),
        ("scope =", "sub ="),
        ('["read", "write:*"]', "[]"),
        ('["read", "write:*"]', "[1]"),
    ],
)
def test_a_profile_that_says_too_much_is_refused(said: str, instead: str) -> None:
    assert said in PROJECT
    with pytest.raises(rule.WrongValue):
        load(GOOD + PROJECT.replace(said, instead))


@pytest.mark.parametrize("line", ['audience = "https://api.acme.example"\n', 'issuer = "12345"\n', 'valid = "10m"\n'])
def test_what_matters_has_no_silent_default(line: str) -> None:
    with pytest.raises(rule.MissingKey):
        load(GOOD + PROJECT.replace(line, ""))


def test_profile_and_format_come_together() -> None:
    with pytest.raises(rule.ProfileUnfit):
        load(GOOD + PROJECT[: PROJECT.index("[project.app.jwt]")])
    with pytest.raises(rule.ProfileUnfit):
        load(GOOD + PROJECT.replace('key = "tokens", formats = ["jwt"]', 'key = "routine-p256", formats = ["dsse"]'))


@pytest.mark.parametrize(
    ("said", "instead"),
    [
        ("approvals = []", 'approvals = [{ group = "managers", count = 1 }]'),
        ("approvals = []", 'approvals = []\npublish = ["pypi"]'),
        ("}]\napprovals", '}, { key = "routine-p256", formats = ["dsse"] }]\napprovals'),
    ],
)
def test_tokens_are_for_routine_work_alone(said: str, instead: str) -> None:
    assert said in PROJECT
    with pytest.raises(rule.RoutineOnly):
        load(GOOD + PROJECT.replace(said, instead))
