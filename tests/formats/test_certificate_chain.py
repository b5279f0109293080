"""X.509 for code signing: requests as openssl reads them, and chains with every fault of a CA or a person."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import software_hsm
from code_signing_ca import CodeSigningCa, chain_of
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from foreign_tool import needs, run
from software_hsm import key_record, sign_raw

from hsmpub.errors import Invalid
from hsmpub.formats import certificate_chain as rule
from hsmpub.formats.certificate_chain import check_chain
from hsmpub.formats.certificate_request import SubjectMalformed, make_request
from hsmpub.formats.certificate_usage import CertificateUsageUnfit
from hsmpub.formats.cms.timestamp_signer import TimestampUntrusted, check_authority
from hsmpub.formats.format import Prepared
from hsmpub.formats.purposes import KeyKindUnfit

NOW = int(datetime(2026, 11, 22, tzinfo=UTC).timestamp())
SUBJECT = {"common_name": "Example Ltd", "organization": "Example Ltd", "country": "DE"}
KEY = key_record("rsa3072")


def request(kind: str = "rsa3072", **subject: str) -> bytes:
    key = key_record(kind)  # type: ignore[arg-type]
    return make_request(key, SUBJECT | subject, lambda digest: sign_raw(Prepared(digest, "sha256", key.kind)))


@pytest.fixture(scope="module")
def ca() -> CodeSigningCa:
    return CodeSigningCa(NOW)


@pytest.mark.parametrize("kind", ["p256", "rsa3072"])
def test_openssl_verifies_the_request_and_reads_what_it_asks_for(kind: str) -> None:
    needs("openssl")
    said = run("openssl", "req", "-verify", "-noout", "-text", stdin=request(kind))
    text = (said.stdout + said.stderr).decode()
    assert "verify OK" in text, text
    assert "Code Signing" in text
    assert "Digital Signature" in text
    assert "C = DE, O = Example Ltd, CN = Example Ltd" in text.replace("C=DE", "C = DE").replace(
        "O=Example", "O = Example").replace("CN=Example", "CN = Example")  # fmt: skip


def test_refuses_a_subject_that_no_ca_takes() -> None:
    for wrong in ({"country": "Germany"}, {"common_name": ""}, {"organization": "x" * 65}):
        with pytest.raises(SubjectMalformed):
            request(**wrong)


def test_refuses_a_key_that_no_ca_certifies() -> None:
    with pytest.raises(KeyKindUnfit):
        request("ed25519")


def test_a_whole_chain_is_taken_with_its_root_or_without_and_openssl_agrees(ca: CodeSigningCa, tmp_path: Path) -> None:
    own = ca.issue(request())
    facts = check_chain(chain_of(own, ca.intermediate, ca.root), KEY, now=NOW)
    assert (facts.length, facts.subject) == (3, "CN=Example Ltd,O=Example Ltd,C=DE")
    assert check_chain(chain_of(own, ca.intermediate), KEY, now=NOW).sha256 == facts.sha256
    assert check_chain(facts.pem.replace("\n", "\r\n"), KEY, now=NOW) == facts
    needs("openssl")
    for name, text in (("root", chain_of(ca.root)), ("middle", chain_of(ca.intermediate)), ("own", chain_of(own))):
        (tmp_path / name).write_text(text)
    said = run("openssl", "verify", "-attime", NOW, "-CAfile", tmp_path / "root", "-untrusted", tmp_path / "middle",
               "-purpose", "any", tmp_path / "own")  # fmt: skip
    assert said.stdout.decode().endswith(": OK\n"), said.stderr


def test_text_around_the_certificates_says_nothing(ca: CodeSigningCa) -> None:
    """As openssl prints it (-text, Bag Attributes), with line ends of either kind."""
    plain = chain_of(ca.issue(request()), ca.intermediate)
    spoken = plain.replace("-----BEGIN", "subject=CN = Example\nissuer=CN = CA\n-----BEGIN").replace("\n", "\r\n")
    assert check_chain(spoken, KEY, now=NOW) == check_chain(plain, KEY, now=NOW)


Fault = Callable[[CodeSigningCa], str]
FAULTS: dict[str, tuple[Fault, type[Exception]]] = {
    "nothing": (lambda ca: "", rule.ChainMalformed),
    "a private key beside it": (
        lambda ca: chain_of(ca.issue(request()), ca.intermediate) + "-----BEGIN PRIVATE KEY-----\n",
        rule.ChainMalformed,
    ),
    "a certificate twice": (
        lambda ca: chain_of(ca.issue(request()), ca.intermediate, ca.intermediate), rule.ChainMalformed,
    ),
    "no certificate": (
        lambda ca: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", rule.ChainMalformed,
    ),
    "another key's certificate": (
        lambda ca: chain_of(ca.issue(request("p256")), ca.intermediate), rule.CertificateForAnotherKey,
    ),
    "the wrong order": (
        lambda ca: chain_of(ca.intermediate, ca.issue(request())), rule.CertificateForAnotherKey,
    ),
    "an issuer left out": (lambda ca: chain_of(ca.issue(request()), ca.root), rule.ChainBroken),
    "no issuer at all": (lambda ca: chain_of(ca.issue(request())), rule.ChainBroken),
    "an issuer of the same name": (
        lambda ca: chain_of(ca.issue(request()), CodeSigningCa(NOW).intermediate), rule.ChainBroken,
    ),
    "an issuer that is no CA": (
        lambda ca: chain_of(ca.issue(request(), by_leaf=True), ca.leaf), rule.IssuerMayNotIssue,
    ),
    "an expired certificate": (
        lambda ca: chain_of(ca.issue(request(), until=timedelta(days=-1)), ca.intermediate),
        rule.CertificateNotValidNow,
    ),
    "one that is not valid yet": (
        lambda ca: chain_of(ca.issue(request(), since=timedelta(days=1)), ca.intermediate),
        rule.CertificateNotValidNow,
    ),
    "one for servers": (
        lambda ca: chain_of(ca.issue(request(), usage="server"), ca.intermediate), CertificateUsageUnfit,
    ),
    "one for anything": (
        lambda ca: chain_of(ca.issue(request(), usage=""), ca.intermediate), CertificateUsageUnfit,
    ),
    "one that is a CA": (
        lambda ca: chain_of(ca.issue(request(), is_ca=True), ca.intermediate), CertificateUsageUnfit,
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_refuses(fault: str, ca: CodeSigningCa) -> None:
    make, why = FAULTS[fault]
    with pytest.raises(why):
        check_chain(make(ca), KEY, now=NOW)


def test_refuses_every_flipped_byte_of_a_chain(ca: CodeSigningCa) -> None:
    text = chain_of(ca.issue(request()), ca.intermediate, ca.root)
    facts = check_chain(text, KEY, now=NOW)
    for at in range(60, len(text), 101):
        changed = text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]
        outcome: object = None
        with contextlib.suppress(Invalid):  # a rule; anything else is a fault of the reader
            outcome = check_chain(changed, KEY, now=NOW)
        assert outcome in (None, facts)


def test_a_ca_s_own_certificate_is_one_of_a_ca_and_no_other_is(ca: CodeSigningCa) -> None:
    key = key_record("p256", "x509-certificate", "x509-crl")
    assert check_chain(key.certificates, key, now=NOW, authority=True).length == 1
    with pytest.raises(CertificateUsageUnfit):
        check_chain(key.certificates, key, now=NOW)
    for chain in (chain_of(ca.issue(request()), ca.intermediate), chain_of(ca.intermediate, ca.root)):
        with pytest.raises(CertificateUsageUnfit):  # the second may certify, and says nothing of revoking
            check_chain(chain, None, now=NOW, authority=True)


def test_the_request_of_a_ca_s_key_asks_for_a_ca() -> None:
    needs("openssl")
    key = key_record("p256", "x509-certificate", "x509-crl")
    asked = make_request(key, SUBJECT, lambda digest: sign_raw(Prepared(digest, "sha256", key.kind)))
    said = run("openssl", "req", "-verify", "-noout", "-text", stdin=asked)
    text = (said.stdout + said.stderr).decode()
    assert "verify OK" in text
    assert "CA:TRUE, pathlen:0" in text
    assert "Certificate Sign, CRL Sign" in text
    assert "Code Signing" not in text


@pytest.mark.parametrize("place", ["key", "curve"])
def test_a_certificate_with_a_key_that_nobody_can_read_is_refused_by_name(place):
    """The library reads keys only when asked; a CA's as little as the signer's own."""
    both = software_hsm.chain_of("p256", 0, ExtendedKeyUsageOID.TIME_STAMPING)[0]
    own, root = x509.load_pem_x509_certificates(both.encode())
    where = {"key": bytes.fromhex("2a8648ce3d0201"), "curve": bytes.fromhex("2a8648ce3d030107")}[place]
    der = root.public_bytes(Encoding.DER)
    strange = x509.load_der_x509_certificate(der.replace(where, where[:-1] + b"\x7f"))
    pem = own.public_bytes(Encoding.PEM) + strange.public_bytes(Encoding.PEM)
    with pytest.raises(rule.ChainMalformed):
        check_chain(pem.decode(), None, now=NOW)
    with pytest.raises(TimestampUntrusted, match="does not lead"):
        check_authority(own, (), (strange,), NOW)
