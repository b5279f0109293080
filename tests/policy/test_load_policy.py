"""Policy files: the example loads; every kind of mistake is refused by its name, in its line."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from good_policy import GOOD, KEYS, load
from hypothesis import given, settings
from hypothesis import strategies as st

from ceremony.keys import planned_keys
from hsmpub.approval import load_roster
from hsmpub.model.toml_lines import InFile, TomlSyntax
from hsmpub.policy import load_policy
from hsmpub.policy import refusals as rule
from hsmpub.policy.period import MAX_EXPIRY

EXAMPLE = Path(__file__).parents[2] / "deploy" / "example"


def test_the_example_loads_with_its_roster_and_the_keys_of_a_genesis() -> None:
    roster = load_roster((EXAMPLE / "roster.toml").read_text())
    policy = load_policy((EXAMPLE / "policy.toml").read_text(), keys=planned_keys(), groups=roster.groups)
    assert set(policy.projects) == {"sdk-python", "website"}
    assert set(policy.credentials) == {"pypi-token", "sdk-deploy-token"}


def test_a_good_policy_says_what_it_says() -> None:
    policy = load()
    assert policy.projects["sdk"].expires == 48 * 3600
    assert policy.projects["site"].expires == 72 * 3600
    assert policy.administration.roster is None
    assert policy.targets["repo"].settings() == {
        "kind": "git", "url": "https://git.example.test/acme/sdk.git", "credential": "repo-token",
        "loopback": False, "tag": "v{version}", "key": "release-openpgp",
    }  # fmt: skip
    assert set(policy.targets["pypi"].settings()) == {"kind", "url", "index", "credential", "loopback"}


@pytest.mark.parametrize("key", ["a" + ".a" * 24_000, '"a b"' + ' . "a b"' * 4_000, "a.'b.c'." * 4_000 + "a"])
@pytest.mark.parametrize("line", ["{} = 1", "[{}]", "x = {{ {} = 1 }}"])
def test_a_key_of_endless_parts_is_refused_at_once(key: str, line: str) -> None:
    begun = time.process_time()
    with pytest.raises(TomlSyntax, match="parts"):
        load("\n" + line.format(key))
    assert time.process_time() - begun < 2


def test_a_long_word_is_looked_at_once() -> None:
    begun = time.process_time()
    for text in (
        "# " + "a" * 48_000,
        "# " + "a-" * 24_000 + " .",
        "# " + "'" * 48_000,
        '# "' + "a." * 7 + "a" * 48_000,
    ):
        with pytest.raises(InFile):
            load(text + "\nb = 1")
    assert time.process_time() - begun < 2


def line_of(text: str, mark: str) -> int:
    return text[: text.index(mark)].count("\n") + 1


#: (what it replaces, by what, the rule, a mark in the line that is named)
MISTAKES = [
    ("publish =", "publishes =", rule.UnknownKey, "publishes"),
    ("[issuer.ci]", "[issuers.ci]", rule.UnknownKey, "[issuers.ci]"),
    ('audience = "h', 'audiance = "h', rule.MissingKey, "[issuer.ci]"),
    ('key = "release-openpgp"\n\n', 'key = "release-openpgp"\nkeys = 1\n\n', rule.UnknownKey, "keys = 1"),
    ("[administration.policy]", "[administration.polcy]", rule.UnknownKey, "[administration.polcy]"),
    (", count = 2 }", ", count = 2, of = 3 }", rule.UnknownKey, "of = 3"),
    ("approvals = []\n", "", rule.ApprovalsUnstated, "[project.site]"),
    ('approvals = [{ group = "managers", count = 2 }]\n', "", rule.ApprovalsUnstated, "[administration.policy]"),
    ('approvals = [{ group = "managers", count = 2 }]\n', "approvals = []\n", rule.WrongValue, None),
    ("count = 2", "count = 0", rule.WrongValue, "count = 0"),
    ("count = 2", "count = -1", rule.WrongValue, "count = -1"),
    ("count = 2", "count = true", rule.WrongValue, "count = true"),
    ("count = 2", 'count = "2"', rule.WrongValue, 'count = "2"'),
    ("count = 2", "count = 2.0", rule.WrongValue, "count = 2.0"),
    ("count = 2", "count = 4", rule.QuorumOutOfReach, "count = 4"),
    ('group = "managers", count = 2', 'group = "manager", count = 2', rule.UnknownGroup, '"manager"'),
    ('{ group = "leads", count = 1 }', '{ group = "leeds", count = 1 }', rule.UnknownGroup, "leeds"),
    ('{ group = "leads", count = 1 }', '{ group = "nobody-left", count = 1 }', rule.QuorumOutOfReach, "nobody-left"),
    ('{ group = "leads", count = 1 }', '{ group = "managers", count = 1 }', rule.SaidTwice, "[{ group"),
    ('"48h"', "48", rule.WrongValue, "expires = 48"),
    ('"48h"', '"48"', rule.WrongValue, "expires"),
    ('"48h"', '"1.5h"', rule.WrongValue, "expires"),
    ('"48h"', '"0h"', rule.WrongValue, "expires"),
    ('"48h"', '"91d"', rule.WrongValue, "expires"),
    ('"pep440"', '"pep-440"', rule.WrongValue, "versions"),
    ('{ issuer = "ci", repository = "acme/site" }', '{ issuer = "gh", repository = "acme/site" }',
     rule.UnknownReference, '"gh"'),
    ('{ issuer = "ci", repository = "acme/site" }', '{ repository = "acme/site" }', rule.MissingKey, "acme/site"),
    ('{ issuer = "ci", repository = "acme/site" }', '{ issuer = "ci" }', rule.RequesterWithoutClaim, "[{ issuer"),
    ('{ issuer = "ci", repository = "acme/site" }', '{ issuer = "ci", repository = "*/*" }',
     rule.RequesterWithoutClaim, '"*/*"'),
    ('{ issuer = "ci", repository = "acme/site" }', '{ issuer = "ci", repository = "" }', rule.WrongValue, '""'),
    ('{ issuer = "ci", repository = "acme/site" }', '{ issuer = "ci", repository_id = 7 }', rule.WrongValue, "= 7"),
    ('{ issuer = "ci", repository = "acme/site" }', '{ issuer = "ci", aud = "x" }', rule.ClaimReserved, "aud ="),
    ('{ issuer = "ci", repository = "acme/site" }', '{ issuer = "ci", person = "x" }', rule.ClaimReserved, "person"),
    ('{ issuer = "ci", repository = "acme/site" }', '"ci"', rule.WrongValue, '["ci"]'),
    ('[{ issuer = "ci", repository = "acme/site" }]', "[]", rule.WrongValue, "requesters = []"),
    ('requesters = [{ issuer = "ci", repository = "acme/site" }]\n', "", rule.MissingKey, "[project.site]"),
    ('release/*" },\n', 'release/*" },\n  { ref = "refs/heads/*/1", issuer = "ci", repository = "acme/*" },\n',
     rule.SaidTwice, "heads/*/1"),
    ('key = "routine-p256"', 'key = "routine-p265"', rule.UnknownSigningKey, "routine-p265"),
    ('key = "routine-p256"', 'key = "sealing"', rule.KeyUnfitForFormat, '"sealing"'),
    ('key = "routine-p256", formats = ["sshsig"]', 'key = "pinned-too-wide", formats = ["openpgp"]',
     rule.KeyUnfitForFormat, "pinned-too-wide"),
    ('key = "routine-p256", formats = ["sshsig"]', 'key = "log", formats = ["sshsig"]',
     rule.KeyNotMeantForFormat, '"log"'),
    ('key = "routine-p256", formats = ["sshsig"]', 'key = "routine-p256", formats = ["openpgp"]',
     rule.KeyNotMeantForFormat, 'routine-p256", formats'),
    ('key = "routine-p256"', 'key = "mixed"', rule.KeyPurposesMixed, '"mixed"'),
    ('formats = ["sshsig"]', 'formats = ["sshsigs"]', rule.UnknownFormat, "sshsigs"),
    ('formats = ["sshsig"]', "formats = []", rule.WrongValue, "formats = []"),
    ('formats = ["sshsig"]', 'formats = ["sshsig", "sshsig"]', rule.SaidTwice, '["sshsig", "sshsig"]'),
    ('{ key = "release-openpgp", formats = ["openpgp"] }', '{ key = "release-p256", formats = ["openpgp"] }',
     rule.SaidTwice, 'key = "release-p256", formats = ["openpgp"]'),
    ('["sshsig", "dsse"]', '["openpgp", "dsse"]', rule.SaidTwice, '"release-openpgp", formats'),
    ('publish = ["pypi", "repo"]', 'publish = ["pypi", "pypy"]', rule.UnknownReference, "pypy"),
    ('publish = ["pypi", "repo"]', 'publish = ["pypi", "pypi"]', rule.SaidTwice, '["pypi", "pypi"]'),
    ('kind = "pypi"', 'kind = "npm"', rule.WrongValue, '"npm"'),
    ('index = "https://index.example.test/simple/"\n', "", rule.IndexRefused, 'kind = "pypi"'),
    ('index = "https://index', 'index = "http://index', rule.UrlRefused, "http://index"),
    ('credential = "repo-token"', 'index = "https://a.test/"\ncredential = "repo-token"', rule.IndexRefused, "a.test"),
    ('credential = "repo-token"', 'credential = "pypi-token"', rule.CredentialShared, None),
    ('credential = "repo-token"\n', "", rule.MissingKey, "[target.repo]"),
    ('credential = "repo-token"\nkey = "release-openpgp"', 'credential = "repo-token"', rule.TagRefused,
     "[target.repo]"),
    ('key = "release-openpgp"\n', 'key = "routine-p256"\n', rule.KeyNotMeantForFormat, 'key = "routine-p256"\n'),
    ('credential = "pypi-token"', 'credential = "pypi-token"\ntag = "v{version}"', rule.TagRefused, "tag ="),
    ("https://ci.example.test", "http://ci.example.test", rule.UrlRefused, "http://ci"),
    ('key = "routine-p256", formats = ["sshsig"]', 'key = "release-openpgp", formats = ["openpgp"]',
     rule.TagKeyWithoutApprovals, 'key = "release-openpgp", formats = ["openpgp"] }]\napprovals = []'),
    ("[project.site]", '[project."../site"]', rule.WrongValue, "../site"),
    ("[project.site]", "[project.sdk]", TomlSyntax, None),
    ("[project.site]", "[project.site", TomlSyntax, "[project.site"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "refusal", "mark"), MISTAKES)
def test_refuses_each_mistake_by_its_name_and_line(
    old: str, new: str, refusal: type[rule.PolicyRefused], mark: str | None
) -> None:
    text = GOOD.replace(old, new, 1)
    assert text != GOOD
    with pytest.raises(refusal) as refused:
        load(text)
    assert type(refused.value) is refusal
    if mark is not None:
        assert refused.value.line == line_of(text, mark)
        assert refused.value.detail.startswith(f"Line {refused.value.line} of the policy: ")


def test_refuses_a_retired_key_wherever_it_is_named() -> None:
    for key, line in (("release-p256", 22), ("release-openpgp", 15)):
        with pytest.raises(rule.SigningKeyRetired) as refused:
            load(retired=[key], keys={name: record for name, record in KEYS.items() if name != key})
        assert refused.value.line == line


def test_groups_may_be_given_by_name_alone() -> None:
    load(groups=["managers", "leads"])
    with pytest.raises(rule.UnknownGroup):
        load(groups=["managers"])


TWO_WAYS = """
[project.shortcut]
requesters = [{ issuer = "ci", %s }]
sign = [{ key = "%s", formats = ["%s"] }]
publish = [%s]
approvals = %s
"""


@pytest.mark.parametrize(
    ("claims", "key", "format_name", "publish", "approvals", "ambiguous"),
    [
        ('repository = "acme/sdk"', "release-p256", "dsse", "", "[]", True),
        ('repository = "acme/*"', "release-p256", "dsse", "", "[]", True),
        ('environment = "release"', "release-p256", "dsse", "", "[]", True),
        ('ref = "refs/*/release/2"', "release-p256", "dsse", "", "[]", True),
        ('repository = "acme/sdk"', "release-p256", "dsse", "", '[{ group = "leads", count = 1 }]', True),
        ('repository = "acme/sdk"', "routine-p256", "dsse", '"pypi"', "[]", True),
        ('repository = "acme/sdk"', "routine-p256", "dsse", "", "[]", False),
        ('repository = "acme/sdk"', "release-p256", "openpgp", "", '[{ group = "leads", count = 1 }]', False),
        ('repository = "acme/other"', "routine-p256", "dsse", '"pypi"', "[]", False),
        ('ref = "refs/heads/main"', "routine-p256", "dsse", '"pypi"', "[]", False),
        ('repository = "acme/sdk"', "release-p256", "dsse", '"pypi"',
         '[{ group = "leads", count = 1 }, { group = "managers", count = 1 }]', False),
    ],
)  # fmt: skip
def test_refuses_a_way_around_approvals_for_the_same_job(
    claims: str, key: str, format_name: str, publish: str, approvals: str, ambiguous: bool
) -> None:
    text = GOOD + TWO_WAYS % (claims, key, format_name, publish, approvals)
    if not ambiguous:
        load(text)
        return
    with pytest.raises(rule.AmbiguousRequester) as refused:
        load(text)
    assert refused.value.line == line_of(text, '[{ issuer = "ci", ' + claims)


def test_refuses_a_release_key_in_a_project_without_approvals() -> None:
    text = GOOD + TWO_WAYS % ('repository = "acme/other"', "release-p256", "dsse", "", "[]")
    with pytest.raises(rule.ReleaseKeyWithoutApprovals) as refused:
        load(text)
    assert "'release-p256' signs what is approved for 'sdk'" in refused.value.detail
    load(text.replace("approvals = []\n", 'approvals = [{ group = "leads", count = 1 }]\n'))


@pytest.mark.parametrize(
    "url",
    ["http://x.test", "https://", "ftp://x.test", "https://user@x.test", "https://user:pw@x.test", "https://x.test/?q",
     "https://x.test/#f", "https://x.test:99999", "https://127.0.0.1/", "https://x.test/a/../b", "https://[::1]/",
     "https://x.test/%zz\\\\", "https://\u0445.test", "https://x test", "//x.test", "x.test", "https://[x",
     "https://x.test:", "https://localhost"],
)  # fmt: skip
def test_refuses_urls_that_are_more_or_less_than_an_address(url: str) -> None:
    for old in ("https://ci.example.test", "https://index.example.test/legacy/"):
        with pytest.raises(rule.UrlRefused):
            load(GOOD.replace(old, url, 1))


@pytest.mark.parametrize("url", ["http://127.0.0.1:3141/root/dev/", "http://localhost:80/", "http://[::1]:8080"])
def test_loopback_urls_need_the_word_for_it(url: str) -> None:
    text = GOOD.replace("https://index.example.test/legacy/", url)
    with pytest.raises(rule.UrlRefused):
        load(text)
    load(text.replace('kind = "pypi"', 'kind = "pypi"\nloopback = true'))
    with pytest.raises(rule.UrlRefused):
        load(GOOD.replace("https://index", "http://index").replace('kind = "pypi"', 'kind = "pypi"\nloopback = true'))


@pytest.mark.parametrize(
    "tag",
    [
        "v",
        "",
        "{version}{version}",
        "-{version}",
        "a..{version}",
        "{version}.lock",
        " {version}",
        "refs//{version}",
        "{version}.",
        "a/.b{version}",
        "{version}~",
    ],
)
def test_refuses_tags_that_git_or_a_reader_would_take_amiss(tag: str) -> None:
    with pytest.raises(rule.TagRefused):
        load(GOOD.replace('credential = "repo-token"', f'credential = "repo-token"\ntag = "{tag}"'))


@pytest.mark.parametrize("tag", ["{version}", "v{version}", "sdk/v{version}", "release-{version}-final"])
def test_accepts_plain_tags(tag: str) -> None:
    policy = load(GOOD.replace('credential = "repo-token"', f'credential = "repo-token"\ntag = "{tag}"'))
    assert policy.targets["repo"].tag == tag


def test_two_targets_may_share_a_repository_but_not_its_tags() -> None:
    second = GOOD[GOOD.index("[target.repo]") : GOOD.index("[project.sdk]")].replace("repo", "repo2", 1)
    second = second.replace("repo-token", "repo2-token")
    with pytest.raises(rule.SaidTwice):
        load(GOOD + second)
    load(GOOD + second + 'tag = "js-{version}"\n')


def test_two_issuers_may_not_share_a_url() -> None:
    with pytest.raises(rule.SaidTwice) as refused:
        load(GOOD + '[issuer.ci2]\nurl = "https://ci.example.test"\naudience = "x"\n')
    assert refused.value.line == line_of(GOOD, "[issuer.ci]") + GOOD.count("\n") + 1


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_changed_file_loads_or_is_refused_by_name(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(GOOD) - 1))
    size = data.draw(st.integers(0, 12))
    piece = data.draw(st.sampled_from(["", "x", '"', "[", "]", "{", "}", "=", "\n", "[]", "7", "true", "*", ",", "."]))
    text = GOOD[:at] + piece + GOOD[at + size :]
    lines: set[int] = set()
    try:
        projects = load(text).projects.values()
    except InFile as e:
        projects, lines = {}.values(), {e.line}
    assert lines <= set(range(1, text.count("\n") + 2))
    assert all(project.requesters for project in projects)
    assert all(60 <= project.expires <= MAX_EXPIRY for project in projects)
