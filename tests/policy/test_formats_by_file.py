"""Which files of a project a format is for: the policy says it by name, and says it once."""

from __future__ import annotations

import pytest
from good_policy import GOOD, load

from hsmpub.identity import CiIdentity
from hsmpub.model.key import KeyRecord
from hsmpub.model.predicate import Signing
from hsmpub.policy import Policy
from hsmpub.policy import refusals as rule
from hsmpub.policy.by_file import FileNotCovered, FormatNotForFile, check_formats

SDK = CiIdentity("ci", "job", {"repository": "acme/sdk", "ref": "refs/heads/release/1"})
SITE = CiIdentity("ci", "job", {"repository": "acme/site"})
OF_SDK = GOOD[GOOD.index("sign = [\n") : GOOD.index('publish = ["pypi", "repo"]')]
OF_SITE = 'sign = [{ key = "routine-p256", formats = ["sshsig"] }]\n'
#: One key in two entries; sdists take what both have.
MIXED = """sign = [
  { key = "release-p256", formats = ["sshsig"], files = ["*.whl", "*.tar.gz"] },
  { key = "release-openpgp", formats = ["openpgp"], files = ["*.txt", "notes-*.md"] },
  { key = "release-p256", formats = ["dsse"], files = ["*.tar.gz"] },
]
"""


def mixed() -> Policy:
    return load(GOOD.replace(OF_SDK, MIXED))


def test_each_file_of_a_release_takes_the_formats_of_every_entry_that_is_for_it() -> None:
    grant = mixed().decide_release(SDK, "sdk", "1.0", ["a.whl", "a.tar.gz", "notes-1.md"])
    assert grant.sign == (Signing("release-p256", ("sshsig", "dsse")), Signing("release-openpgp", ("openpgp",)))
    assert grant.of("a.whl") == (Signing("release-p256", ("sshsig",)),)
    assert grant.of("a.tar.gz") == (Signing("release-p256", ("sshsig", "dsse")),)
    assert grant.of("notes-1.md") == (Signing("release-openpgp", ("openpgp",)),)


def test_an_entry_that_no_file_matches_is_no_part_of_the_release() -> None:
    grant = mixed().decide_release(SDK, "sdk", "1.0", ["a.whl", "b.whl"])
    assert (grant.sign, grant.files) == ((Signing("release-p256", ("sshsig",)),), {})


@pytest.mark.parametrize("name", ["a.dmg", "a.WHL", "a.whl.zip", "notes.md", "whl"])
def test_a_file_that_no_entry_is_for_stops_the_release_and_is_named(name: str) -> None:
    with pytest.raises(FileNotCovered) as refused:
        mixed().decide_release(SDK, "sdk", "1.0", ["a.whl", name])
    assert repr(name) in refused.value.detail
    assert "have the policy's 'files' say" in refused.value.next_step


def test_a_routine_request_may_ask_for_both_entries_of_a_key_and_for_names_that_fit() -> None:
    entries = MIXED.replace("release-openpgp", "routine-openpgp").replace("release-p256", "routine-p256")
    policy = load(GOOD.replace(OF_SITE, entries))
    assert policy.decide_sign(SITE, "site", "", ["dsse", "sshsig"]).key == "routine-p256"
    patterns = policy.patterns("site")
    check_formats(patterns, ["sshsig", "dsse"], "a.tar.gz")
    with pytest.raises(FormatNotForFile) as refused:
        check_formats(patterns, ["sshsig", "dsse"], "a.whl")
    assert refused.value.detail == "The policy has 'dsse' made of *.tar.gz, not of 'a.whl'."
    assert load().patterns("site") == {}


def test_files_tell_no_two_projects_apart_for_who_asks_chooses_the_names() -> None:
    around = entry('"sshsig"', '["*.deb"]')
    text = GOOD.replace(OF_SITE, f"sign = [\n{around}]\n").replace(OF_SDK, MIXED)
    with pytest.raises(rule.ReleaseKeyWithoutApprovals):
        load(text)
    with pytest.raises(rule.AmbiguousRequester):
        load(text.replace('repository = "acme/site" }', 'repository = "acme/sdk" }'))


def entry(formats: str, files: str, key: str = "release-p256") -> str:
    return f'  {{ key = "{key}", formats = [{formats}], files = {files} }},\n'


@pytest.mark.parametrize(
    ("entries", "expected", "line"),
    [
        (entry('"sshsig"', "[]"), rule.WrongValue, 1),
        (entry('"sshsig"', '"*.whl"'), rule.WrongValue, 1),
        (entry('"sshsig"', '["*"]'), rule.WrongValue, 1),
        (entry('"sshsig"', '["dist/*.whl"]'), rule.WrongValue, 1),
        (entry('"sshsig"', '["*.[ch]"]'), rule.WrongValue, 1),
        (entry('"sshsig"', '[".*"]'), rule.WrongValue, 1),
        (entry('"sshsig"', str([f"{n}.*" for n in range(65)]).replace("'", '"')), rule.WrongValue, 1),
        (entry('"sshsig"', '["*.whl", "*.whl"]'), rule.SaidTwice, 1),
        (entry('"sshsig"', '["*.whl"]') + entry('"sshsig"', '["*.gz"]'), rule.SaidTwice, 2),
        (entry('"sshsig"', '["*.whl"]') + entry('"dsse"', '["*.whl"]'), rule.SaidTwice, 2),
        (entry('"openpgp"', '["*.whl"]') + entry('"openpgp"', '["*.gz"]', "release-openpgp"), rule.SaidTwice, 2),
    ],
)  # fmt: skip
def test_refuses_patterns_that_mean_nothing_and_what_is_said_twice(
    entries: str, expected: type[rule.PolicyRefused], line: int
) -> None:
    text = GOOD.replace(OF_SDK, f"sign = [\n{entries}]\n")
    with pytest.raises(expected) as refused:
        load(text)
    assert refused.value.line == text[: text.index("sign = [")].count("\n") + 1 + line


def test_says_that_all_files_of_a_format_stand_in_one_entry() -> None:
    twice = entry('"sshsig"', '["*.whl"]') + entry('"sshsig"', '["*.gz"]')
    with pytest.raises(rule.SaidTwice, match="Say it once, with all its files"):
        load(GOOD.replace(OF_SDK, f"sign = [\n{twice}]\n"))


def test_refuses_names_for_what_is_made_of_no_named_file() -> None:
    keys = {"tokens": KeyRecord("tokens", "p256", "", 0, ("jwt",))}
    text = (
        '[issuer.ci]\nurl = "https://ci.example"\naudience = "a"\n[project.api]\napprovals = []\n'
        'requesters = [{ issuer = "ci", repository = "acme/api" }]\n'
        'jwt = { issuer = "a", audience = "b", valid = "10m" }\n'
        'sign = [{ key = "tokens", formats = ["jwt"], files = ["*.json"] }]\n'
    )
    with pytest.raises(rule.FilesUnfit) as refused:
        load(text, keys=keys)
    assert refused.value.line == 8
