"""What a policy answers: who may ask for what, and what it takes."""

from __future__ import annotations

import pytest
from good_policy import GOOD, load

from hsmpub.identity import CiIdentity
from hsmpub.model.predicate import Quorum, Signing
from hsmpub.policy import grants as rule
from hsmpub.policy.requesters import NotARequester
from hsmpub.policy.version import VersionOutsideScheme


def who(issuer: str = "ci", subject: str = "job", **claims: str) -> CiIdentity:
    return CiIdentity(issuer, subject, claims)


SDK = who(repository="acme/sdk", ref="refs/heads/release/1.2", environment="release")
SITE = who(repository="acme/site")
FILES = ["sdk.whl", "sdk.tar.gz"]


def test_a_release_is_granted_with_what_the_policy_says() -> None:
    grant = load().decide_release(SDK, "sdk", "1.2.0", FILES)
    assert grant == rule.ReleaseGrant(
        project="sdk",
        sign=(Signing("release-p256", ("sshsig", "dsse")), Signing("release-openpgp", ("openpgp",))),
        publish=("pypi", "repo"),
        approvals=(Quorum("managers", 1), Quorum("leads", 1)),
        expires=48 * 3600,
    )
    assert load().decide_release(SITE, "site", "anything", FILES).approvals == ()


@pytest.mark.parametrize(
    ("asker", "in_the_way"),
    [
        (who(repository="acme/sdk", ref="refs/heads/main"), "'ref' is 'refs/heads/main'"),
        (who(repository="evil/sdk", ref="refs/heads/release/1"), "'repository' is 'evil/sdk'"),
        (who(repository="acme/sdk"), "'ref' is ''"),
        (who(repository="acme/sdk", ref="refs/heads/release/1/2"), "'ref'"),
        (who(repository="Acme/sdk", ref="refs/heads/release/1"), "'repository'"),
        (who("other", repository="acme/sdk", ref="refs/heads/release/1"), "another issuer"),
    ],
)
def test_refuses_other_repositories_branches_and_issuers_and_says_which(asker: CiIdentity, in_the_way: str) -> None:
    with pytest.raises(NotARequester) as refused:
        load().decide_release(asker, "sdk", "1.2.0", FILES)
    assert in_the_way in refused.value.detail


def test_refuses_unknown_projects_and_versions_outside_the_scheme() -> None:
    with pytest.raises(rule.UnknownProject):
        load().decide_release(SDK, "sdk2", "1.2.0", FILES)
    with pytest.raises(VersionOutsideScheme):
        load().decide_release(SDK, "sdk", "version-one", FILES)


def test_a_rule_may_pin_the_subject() -> None:
    policy = load(GOOD.replace('repository = "acme/site"', 'sub = "system:serviceaccount:ci:*"'))
    policy.decide_release(who(subject="system:serviceaccount:ci:builder"), "site", "1", FILES)
    with pytest.raises(NotARequester):
        policy.decide_release(who(subject="system:serviceaccount:dev:builder"), "site", "1", FILES)


def test_routine_signing_is_for_projects_without_approvals_only() -> None:
    assert load().decide_sign(SITE, "site", "", ["sshsig"]) == rule.SignGrant(
        "site", "routine-p256", ("sshsig",), 72 * 3600
    )
    with pytest.raises(rule.ApprovalNeeded) as refused:
        load().decide_sign(SDK, "sdk", "release-p256", ["dsse"])
    assert "release submit" in refused.value.next_step
    with pytest.raises(NotARequester):
        load().decide_sign(SDK, "site", "", ["sshsig"])


def test_routine_signing_grants_listed_keys_and_formats_only() -> None:
    both = '{ key = "routine-p256", formats = ["sshsig"] }, { key = "routine-openpgp", formats = ["openpgp"] }'
    policy = load(GOOD.replace('{ key = "routine-p256", formats = ["sshsig"] }', both))
    assert policy.decide_sign(SITE, "site", "", ["openpgp"]).key == "routine-openpgp"
    assert policy.decide_sign(SITE, "site", "routine-openpgp", ["openpgp"]).formats == ("openpgp",)
    with pytest.raises(rule.KeyNotGranted):
        policy.decide_sign(SITE, "site", "release-p256", ["sshsig"])
    for key, formats in (("", ["dsse"]), ("", ["sshsig", "openpgp"]), ("routine-p256", ["openpgp"])):
        with pytest.raises(rule.FormatNotGranted):
            policy.decide_sign(SITE, "site", key, formats)
    for formats in ([], ["sshsig", "sshsig"]):
        with pytest.raises(rule.NothingToSign):
            policy.decide_sign(SITE, "site", "", formats)


def test_a_project_that_signs_nothing_grants_nothing() -> None:
    policy = load(GOOD.replace('sign = [{ key = "routine-p256", formats = ["sshsig"] }]\n', ""))
    assert policy.decide_release(SITE, "site", "1", FILES).sign == ()
    with pytest.raises(rule.KeyNotGranted):
        policy.decide_sign(SITE, "site", "", ["sshsig"])


def test_administration_takes_the_approvals_of_its_table_and_is_closed_without_one() -> None:
    more = '[administration.credential]\napprovals = [{ group = "managers", count = 1 }]\n'
    policy = load(GOOD + more)
    assert policy.decide_personal("policy").approvals == (Quorum("managers", 2),)
    assert policy.decide_personal("policy").expires == 7 * 86_400
    assert policy.decide_personal("credential", credential="pypi-token").approvals == (Quorum("managers", 1),)
    with pytest.raises(rule.UnknownCredential):
        policy.decide_personal("credential", credential="another")
    with pytest.raises(rule.AdministrationClosed):
        policy.decide_personal("roster")


def test_formats_of_several_keys_are_each_made_by_the_key_that_makes_them() -> None:
    both = '{ key = "routine-p256", formats = ["sshsig"] }, { key = "routine-openpgp", formats = ["openpgp"] }'
    policy = load(GOOD.replace('{ key = "routine-p256", formats = ["sshsig"] }', both))
    assert policy.decide_signatures(SITE, "site", "", ["openpgp", "sshsig"]) == (
        Signing("routine-openpgp", ("openpgp",)),
        Signing("routine-p256", ("sshsig",)),
    )
    assert policy.decide_signatures(SITE, "site", "", ["sshsig"]) == (Signing("routine-p256", ("sshsig",)),)
    for key, formats in (("routine-p256", ["sshsig", "openpgp"]), ("", ["sshsig", "dsse"])):
        with pytest.raises(rule.FormatNotGranted):
            policy.decide_signatures(SITE, "site", key, formats)
