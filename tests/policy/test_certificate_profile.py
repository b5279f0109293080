"""A project of certificates says for what, for whom and for how long; lists of revoked ones stand alone."""

from __future__ import annotations

import pytest
from good_policy import GOOD, KEYS, load

from hsmpub.model.key import KeyRecord
from hsmpub.model.predicate import Signing
from hsmpub.model.profiles import CertificateProfile, CrlProfile
from hsmpub.policy import refusals as rule

PROJECT = """
[project.pki]
requesters = [{ issuer = "ci", repository = "acme/pki" }]
sign = [{ key = "ca", formats = ["x509-certificate"] }]
approvals = [{ group = "managers", count = 1 }]
[project.pki.certificate]
usage = "tls-server"
names = ["*.internal.acme.example"]
valid = "90d"
keys = ["p256", "rsa3072"]
crl_url = "http://crl.acme.example/ca.crl"
[project.revocations]
requesters = [{ issuer = "ci", repository = "acme/revocations" }]
sign = [{ key = "ca", formats = ["x509-crl"] }]
approvals = []
crl = { valid = "7d" }
"""


@pytest.fixture(autouse=True)
def ca_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ca", "second-ca"):
        monkeypatch.setitem(KEYS, name, KeyRecord(name, "p256", "", 0, ("x509-certificate", "x509-crl")))


def test_the_statement_says_the_profile() -> None:
    policy = load(GOOD + PROJECT)
    assert policy.profiles("pki", (Signing("ca", ("x509-certificate",)),)).certificate == CertificateProfile(
        "tls-server", ("*.internal.acme.example",), 90 * 86_400, ("p256", "rsa3072"),
        crl_url="http://crl.acme.example/ca.crl",
    )  # fmt: skip
    assert policy.profiles("revocations", (Signing("ca", ("x509-crl",)),)).crl == CrlProfile(7 * 86_400)


@pytest.mark.parametrize(
    ("said", "instead"),
    [
        ('"tls-server"', '"any"'),
        ('["*.internal.acme.example"]', '["*"]'),
        ('["*.internal.acme.example"]', "[]"),
        ('["*.internal.acme.example"]', '["a.example", "a.example"]'),
        ('valid = "90d"', 'valid = "731d"'),
        ('["p256", "rsa3072"]', '["rsa1024"]'),
        ('["p256", "rsa3072"]', "[]"),
        ('crl_url = "http://crl.acme.example/ca.crl"', 'crl_url = "ldap://x"'),
        ('crl_url = "http://crl.acme.example/ca.crl"', 'country = "Germany"'),
        ('crl = { valid = "7d" }', 'crl = { valid = "91d" }'),
    ],
)
def test_a_profile_that_says_too_much_is_refused(said: str, instead: str) -> None:
    assert said in PROJECT
    with pytest.raises(rule.WrongValue):
        load(GOOD + PROJECT.replace(said, instead))


def test_a_ca_that_takes_approvals_signs_no_certificate_without_one() -> None:
    other = PROJECT.split("[project.revocations]")[0].replace("pki", "short").replace("acme/short", "acme/short-lived")
    with pytest.raises(rule.ReleaseKeyWithoutApprovals):
        load(GOOD + PROJECT + other.replace('approvals = [{ group = "managers", count = 1 }]', "approvals = []"))


@pytest.mark.parametrize(
    ("said", "instead", "why"),
    [
        ('crl = { valid = "7d" }', "", rule.ProfileUnfit),
        ('"x509-certificate"]', '"x509-crl"]', rule.ProfileUnfit),
        ("approvals = []", 'approvals = [{ group = "managers", count = 1 }]', rule.RoutineOnly),
        ("approvals = []", 'approvals = []\npublish = ["pypi"]', rule.RoutineOnly),
    ],
)
def test_profile_and_format_come_together(said: str, instead: str, why: type[Exception]) -> None:
    assert said in PROJECT
    with pytest.raises(why):
        load(GOOD + PROJECT.replace(said, instead))
