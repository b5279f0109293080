"""A ceremony file with a mistake is refused with its line, before anything happens."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from ceremony_stage import Stage, run_command

from ceremony.example_keys import ExampleKey, check_own_keys, is_example
from ceremony.file import load_ceremony_file
from ceremony.file_rules import (
    CeremonyFileRefused,
    HolderKeyRefused,
    HolderTwice,
    MissingCeremonyKey,
    ThresholdUnsafe,
    UnknownCeremonyKey,
    WrongCeremonyValue,
)
from ceremony.plan import CeremonyInputMissing, load_plan
from hsmpub.errors import HsmpubError
from hsmpub.model.toml_lines import TomlSyntax

#: of a key that is in no key ring any more
CERTIFICATE = """\
-----BEGIN PGP PUBLIC KEY BLOCK-----

mDMEawK61hYJKwYBBAHaRw8BAQdAM8liYEriGgAViVCg55dTWuv7UqZ9GB1ed8qM
/bTuOHi4OARrArrWEgorBgEEAZdVAQUBAQdAOzQefFboG3XwObsJZjqxJ9KPUWM3
fTYqw5MU5XRewFoDAQgHiHgEGBYIACAWIQTa0a8B1QZzjfFMLf8Ec6mAhDUrmwUC
awK61gIbDAAKCRAEc6mAhDUrm1l2AQD5u+ZBF6gjHdsdrhzchDUKooKeEFhiy3F0
96Xm8bl4QQEAy+S1Udeti0TD6grpSq41I+Nn9u+IsxMez+EPVXxijQs=
=U40h
-----END PGP PUBLIC KEY BLOCK-----
"""
EXAMPLE = Path(__file__).parents[2] / "deploy" / "example" / "ceremony.toml"


def line_with(text: str, part: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if part in line)


@pytest.mark.parametrize(
    ("old", "new", "rule", "at"),
    [
        ("threshold = 3", "treshold = 3", UnknownCeremonyKey, "treshold"),
        ("[recovery]", "[recovry]", UnknownCeremonyKey, "[recovry]"),
        ("threshold = 3", "threshold = 1", ThresholdUnsafe, "threshold = 1"),
        ("threshold = 2", "threshold = 1", ThresholdUnsafe, "threshold = 1"),
        ("threshold = 3", "threshold = 6", ThresholdUnsafe, "threshold = 6"),
        ("threshold = 3", "threshold = 0", ThresholdUnsafe, "threshold = 0"),
        ("threshold = 3", 'threshold = "3"', WrongCeremonyValue, 'threshold = "3"'),
        ("threshold = 3", "threshold = ", TomlSyntax, "threshold = "),
        ("threshold = 3\n", "", MissingCeremonyKey, "[unseal]"),
        ('"holder-2"', '"holder-1"', HolderTwice, '"holder-1"'),
        ('"holder-2"', '"../holder"', WrongCeremonyValue, "../holder"),
        ("ssh-ed25519 ", "ssh-dss ", HolderKeyRefused, "ssh-dss"),
        ('origin = "log.example.org/releases"', 'origin = "a log"', WrongCeremonyValue, "a log"),
        ("<releases@example.org>", "<releases", WrongCeremonyValue, "<releases"),
        ('name = "releases"', 'name = "releases"\nname = "other"', TomlSyntax, "other"),
        ('name = "releases"', 'name = ""', WrongCeremonyValue, 'name = ""'),
    ],
)
def test_refuses_a_mistake_with_its_line(
    stage: Stage, old: str, new: str, rule: type[CeremonyFileRefused], at: str
) -> None:
    text = stage.file.read_text()
    assert old in text
    broken = text.replace(old, new, 1)
    with pytest.raises(rule) as refusal:
        load_ceremony_file(broken)
    lines = [number for number, line in enumerate(broken.splitlines(), 1) if at in line]
    assert refusal.value.line in lines
    assert f"Line {refusal.value.line} of the ceremony file" in str(refusal.value)


def test_refuses_two_holders_with_one_key(stage: Stage) -> None:
    text = stage.file.read_text()
    rows = [line for line in text.splitlines() if '"holder-' in line]
    doubled = text.replace(rows[1], rows[0].replace("holder-1", "holder-2"))
    with pytest.raises(HolderTwice, match="holder-2 has the same key as holder-1"):
        load_ceremony_file(doubled)


def test_refuses_more_holders_than_slip39_has_numbers_for(stage: Stage) -> None:
    text = stage.file.read_text()
    row = next(line for line in text.splitlines() if '"holder-1"' in line)
    with pytest.raises(WrongCeremonyValue, match="16 is the most"):
        load_ceremony_file(text.replace(row, "\n".join(row.replace("holder-1", f"other-{n}") for n in range(17))))


def test_policy_and_roster_are_checked_before_the_ceremony(stage: Stage) -> None:
    (stage.folder / "policy.toml").write_text("[administration.polcy]\napprovals = []\n")
    with pytest.raises(HsmpubError, match="Line 1 of the policy"):
        stage.plan()
    (stage.folder / "policy.toml").unlink()
    with pytest.raises(CeremonyInputMissing):
        stage.plan()


def test_the_command_says_it_in_one_sentence(stage: Stage) -> None:
    stage.file.write_text(stage.file.read_text().replace("threshold = 3", "treshold = 3"))
    ran = run_command("genesis", stage.file, "--home", stage.folder / "home")
    assert ran.returncode == 1
    assert ran.stdout == b""
    line = line_with(stage.file.read_text(), "treshold")
    assert ran.stderr.decode().startswith(f"hsmpub-ceremony: Line {line} of the ceremony file: 'unseal.treshold'")
    assert ran.stderr.count(b"\n") == 1
    assert not (stage.folder / "home").exists()
    missing = run_command("genesis", stage.folder / "nowhere.toml")
    assert (missing.returncode, missing.stderr.count(b"\n")) == (1, 1)


def test_the_example_of_the_documentation_loads() -> None:
    example = load_ceremony_file(EXAMPLE.read_text())
    assert (example.unseal.threshold, len(example.unseal.holders)) == (3, 5)
    assert (example.recovery.threshold, len(example.recovery.holders)) == (2, 3)


def test_the_example_with_its_policy_and_roster_is_ready_for_a_ceremony() -> None:
    """Somebody who changes nothing but the holders' keys can begin."""
    plan = load_plan(EXAMPLE)
    assert f'audience = "{plan.file.service.name}"' in plan.policy
    assert plan.file.unseal.threshold == 3


def test_a_port_that_no_machine_has_is_refused_before_the_ceremony(stage: Stage) -> None:
    text = stage.file.read_text() + '[front]\nlisten = "127.0.0.1:99999"\n'
    with pytest.raises(WrongCeremonyValue) as refusal:
        load_ceremony_file(text)
    assert "99999" in refusal.value.detail
    assert refusal.value.line == line_with(text, "99999")


def test_a_folder_is_not_said_to_be_missing(stage: Stage, tmp_path: Path) -> None:
    with pytest.raises(CeremonyInputMissing, match="is a folder"):
        load_plan(tmp_path)


def test_a_holder_may_have_an_openpgp_certificate(stage: Stage) -> None:
    text = stage.file.read_text()
    row = next(line for line in text.splitlines() if '"holder-2"' in line)
    given = f'  {{ name = "holder-2", key = """\n{CERTIFICATE}""" }},'
    file = load_ceremony_file(text.replace(row, given))
    assert file.unseal.plan.holders[1].recipient == CERTIFICATE
    broken = text.replace(row, given.replace("\n\n", "\n\nAAAA"))
    with pytest.raises(HolderKeyRefused, match="holder-2: The OpenPGP certificate") as refusal:
        load_ceremony_file(broken)
    assert refusal.value.line == line_with(broken, '"holder-2"')


def test_a_home_that_nobody_could_open_is_not_made(stage: Stage) -> None:
    """The keys of the example are for rehearsals: nobody has their private halves."""
    home = stage.folder / "home"
    ran = run_command("genesis", EXAMPLE, "--home", home)
    assert ran.returncode == 1
    assert b"holder-1 is the example's" in ran.stderr
    assert not home.exists()
    shutil.copy(EXAMPLE.with_name("roster.toml"), stage.folder)
    with pytest.raises(ExampleKey, match="roster"):
        check_own_keys(stage.plan())


def test_every_key_of_the_example_is_known_as_one() -> None:
    text = EXAMPLE.read_text() + EXAMPLE.with_name("roster.toml").read_text()
    keys = re.findall(r"age1[0-9a-z]{50,}|AAAA[0-9A-Za-z+/=]{40,}", text)
    assert len(keys) == 13
    assert all(map(is_example, keys))
