"""SSH certificates need a profile that says who and for how long; anything looser is refused."""

from __future__ import annotations

import pytest
from good_policy import GOOD, load

from hsmpub.policy import refusals as rule
from hsmpub.policy.refusals import PolicyRefused

PROFILE = """
[project.site.ssh_certificate]
kind = "user"
principals = ["deploy"]
valid = "4h"
"""


def test_a_profile_without_certificates_is_refused() -> None:
    with pytest.raises(rule.SshProfileUnfit):
        load(GOOD + PROFILE)


@pytest.mark.parametrize(
    ("said", "instead"),
    [
        ('"4h"', '"25h"'),
        ('["deploy"]', "[]"),
        ('["deploy"]', '["deploy", "deploy"]'),
        ('["deploy"]', '["*"]'),
        ('["deploy"]', '["a,b"]'),
        ('"user"', '"host"\nextensions = ["permit-pty"]'),
        ('"user"', '"user"\nextensions = ["force-command"]'),
        ('valid = "4h"', ""),
    ],
)
def test_a_profile_that_says_too_much_is_refused(said: str, instead: str) -> None:
    with pytest.raises(PolicyRefused) as refused:
        load(GOOD + PROFILE.replace(said, instead))
    assert not isinstance(refused.value, rule.SshProfileUnfit)
