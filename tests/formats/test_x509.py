"""Certificates of our own CA and its lists of revoked ones: openssl takes them, and none altered or out of bounds."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from foreign_tool import needs, run
from hypothesis import given
from hypothesis import strategies as st
from samples import SAMPLES, certificate_request
from software_hsm import CONTEXT, artifact_of, key_record, private_key, root_of, sign_raw

from hsmpub.errors import HsmpubError
from hsmpub.formats.cms.chain import CertificateMissing
from hsmpub.formats.context import RevokedSoFar
from hsmpub.formats.registry import FORMATS
from hsmpub.formats.source import BytesSource
from hsmpub.formats.x509.asked import NamesMalformed, RequestMalformed, RequestNotProven, read_request
from hsmpub.formats.x509.authority import AuthorityNotValidNow, NotAnAuthority
from hsmpub.formats.x509.certificate import CertificateProfileMissing
from hsmpub.formats.x509.certificate_read import CertificateForAnother
from hsmpub.formats.x509.crl import (
    AlreadyRevoked,
    CrlProfileMissing,
    NotIssuedHere,
    RevocationsMalformed,
    dump_revocations,
    parse_revocations,
)
from hsmpub.formats.x509.crl_read import CrlForAnother
from hsmpub.formats.x509.grant import CertifiedKeyUnfit, NameMissing, NameNotAllowed
from hsmpub.formats.x509.root import HostMalformed
from hsmpub.model.said import CertificateSaid, CrlSaid, Revoked
from tests.proofs import Prove

CERTIFICATE, CRL = FORMATS["x509-certificate"], FORMATS["x509-crl"]
ASKED = SAMPLES["x509-certificate"]
both_kinds = pytest.mark.parametrize("kind", ["p256", "rsa3072"])
AT = str(CONTEXT.at)
HOST = "a.internal.acme.example"
NONE_YET = RevokedSoFar(1, ())


def signed(form, data: bytes, key=None, context=CONTEXT):
    """Output, and what the log says of it."""
    key, artifact = key or key_record("p256", form.name), artifact_of(data, "x", form)
    prepared = form.prepare(artifact, key, context)
    output = form.assemble(prepared, sign_raw(prepared))
    form.check(output, artifact, key, context)
    return output, prepared.said


def issued(data: bytes = ASKED, key=None, context=CONTEXT) -> x509.Certificate:
    return x509.load_pem_x509_certificate(signed(CERTIFICATE, data, key, context)[0])


def profiled(**said: object):
    return msgspec.structs.replace(CONTEXT, certificate=msgspec.structs.replace(CONTEXT.certificate, **said))


def request_of(key, *extensions: tuple[x509.ExtensionType, bool], common: str = HOST, **more: str) -> bytes:
    names = [x509.NameAttribute(NameOID.COMMON_NAME, common)] if common else []
    names += [x509.NameAttribute(getattr(NameOID, name.upper()), value) for name, value in more.items()]
    builder = x509.CertificateSigningRequestBuilder(x509.Name(names))
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM)


def openssl(folder: Path, *arguments: str) -> tuple[bool, str]:
    needs("openssl")
    said = run("openssl", *arguments, cwd=folder)
    return said.returncode == 0, (said.stdout + said.stderr).decode()


def written(folder: Path, certificate: bytes, kind: str = "p256", *hosts: str, crl: bytes = b"") -> Path:
    (folder / "ca.pem").write_text(root_of(kind, 0, *hosts))
    (folder / "leaf.pem").write_bytes(certificate)
    (folder / "list.pem").write_bytes(crl)
    return folder


@both_kinds
def test_openssl_verifies_it_and_nothing_altered(tmp_path: Path, kind: str, proof: Prove) -> None:
    output, said = signed(CERTIFICATE, ASKED, key_record(kind, CERTIFICATE.name))
    verify = ("verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", "ca.pem", "-attime", AT)
    written(tmp_path, output, kind)
    assert openssl(tmp_path, *verify, "-verify_hostname", HOST, "leaf.pem")[0]
    assert not openssl(tmp_path, *verify, "-verify_hostname", "b.internal.acme.example", "leaf.pem")[0]
    for wrong in (("-purpose", "sslclient"), ("-purpose", "timestampsign"), ("-attime", str(CONTEXT.at + 90_000))):
        assert not openssl(tmp_path, *verify, *wrong, "leaf.pem")[0]
    der = bytearray(x509.load_pem_x509_certificate(output).public_bytes(Encoding.DER))
    der[der.index(b"a.internal")] = ord("b")
    altered = x509.load_der_x509_certificate(bytes(der)).public_bytes(Encoding.PEM)
    ok, why = openssl(written(tmp_path, altered, kind), *verify, "leaf.pem")
    assert "signature failure" in why
    proof(CERTIFICATE.name, kind, "openssl verify", good=True, tampered=ok)
    assert isinstance(said, CertificateSaid)
    assert (said.key, said.names, said.not_after) == (f"{kind}-0", (HOST,), CONTEXT.at + 86_400)


def test_it_says_what_the_profile_says(tmp_path: Path) -> None:
    output, said = signed(CERTIFICATE, ASKED)
    _, text = openssl(written(tmp_path, output), "x509", "-in", "leaf.pem", "-noout", "-text", "-serial")
    for line in ("CA:FALSE", "Digital Signature", "TLS Web Server Authentication", f"DNS:{HOST}",
                 "URI:http://crl.acme.example/ca.crl"):  # fmt: skip
        assert line in text, text
    assert isinstance(said, CertificateSaid)
    assert f"serial={said.serial.upper()}" in text
    assert issued().subject.rfc4514_string() == f"CN={HOST},O=Acme,C=DE"
    assert issued().serial_number.bit_length() == 128


def test_each_request_has_a_serial_number_of_its_own() -> None:
    other = msgspec.structs.replace(CONTEXT, request="r-0002")
    assert issued().serial_number != issued(context=other).serial_number


@pytest.mark.parametrize(
    ("usage", "purpose", "critical"),
    [("tls-client", "sslclient", False), ("code-signing", "codesign", False), ("timestamping", "timestampsign", True)],
)
def test_each_usage_is_for_its_purpose_alone(tmp_path: Path, usage: str, purpose: str, critical: bool) -> None:
    asked = request_of(private_key("p256", 5), common="Acme Releases")
    found = signed(CERTIFICATE, asked, context=profiled(usage=usage, names=("Acme *",)))[0]
    written(tmp_path, found)
    verify = ("verify", "-x509_strict", "-CAfile", "ca.pem", "-attime", AT)
    accepted = openssl(tmp_path, *verify, "-purpose", purpose, "leaf.pem")
    if "unrecognized" in accepted[1] or "Invalid purpose" in accepted[1] or "invalid" in accepted[1].lower():
        accepted = openssl(tmp_path, *verify, "leaf.pem")  # openssl 3.0 knows no code signing yet
    assert accepted[0], accepted[1]
    assert not openssl(tmp_path, *verify, "-purpose", "sslserver", "leaf.pem")[0]
    extension = x509.load_pem_x509_certificate(found).extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    assert extension.critical is critical


def test_no_extension_of_the_request_gets_in() -> None:
    """A request for a CA, for every purpose, with a policy and an address: a plain server comes out."""
    wished = (
        (x509.BasicConstraints(ca=True, path_length=9), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]), False),
        (x509.KeyUsage(*[True] * 7, False, False), True),
        (x509.TLSFeature([x509.TLSFeatureType.status_request]), False),
        (x509.NameConstraints([x509.DNSName("com")], None), True),
    )
    found = issued(request_of(private_key("p256", 5), *wished, organization_name="Somebody Else"))
    assert [extension.oid.dotted_string for extension in found.extensions] == [
        "2.5.29.19", "2.5.29.15", "2.5.29.37", "2.5.29.14", "2.5.29.35", "2.5.29.17", "2.5.29.31",
    ]  # fmt: skip
    assert not found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert found.subject.rfc4514_string() == f"CN={HOST},O=Acme,C=DE"


def test_a_ca_s_own_constraints_and_path_length_hold(tmp_path: Path) -> None:
    """The service refuses what its CA may not certify; openssl would, too; and under a leaf there is nothing."""
    bound = msgspec.structs.replace(
        key_record("p256", CERTIFICATE.name), certificates=root_of("p256", 0, "acme.example")
    )
    output, _ = signed(CERTIFICATE, ASKED, bound)
    verify = ("verify", "-x509_strict", "-CAfile", "ca.pem", "-attime", AT)
    assert openssl(written(tmp_path, output, "p256", "acme.example"), *verify, "leaf.pem")[0]
    ok, why = openssl(written(tmp_path, output, "p256", "other.example"), *verify, "leaf.pem")
    assert not ok
    assert "permitted subtree violation" in why
    outside = msgspec.structs.replace(bound, certificates=root_of("p256", 0, "other.example"))
    with pytest.raises(NameNotAllowed):
        signed(CERTIFICATE, ASKED, outside)

    leaf_key, below = private_key("p256", 5), tmp_path / "below.pem"
    leaf = issued(request_of(leaf_key))
    child = x509.CertificateBuilder(leaf.subject, leaf.subject, leaf_key.public_key(), 7)
    child = child.not_valid_before(leaf.not_valid_before_utc).not_valid_after(leaf.not_valid_after_utc)
    below.write_bytes(child.sign(leaf_key, SHA256()).public_bytes(Encoding.PEM))
    written(tmp_path, leaf.public_bytes(Encoding.PEM))
    ok, why = openssl(tmp_path, "verify", "-CAfile", "ca.pem", "-attime", AT, "-untrusted", "leaf.pem", "below.pem")
    assert not ok


def test_a_certificate_ends_with_its_ca() -> None:
    long = profiled(seconds=730 * 86_400)
    late = msgspec.structs.replace(long, at=1_780_000_000 + 3600 * 86_400)
    ca = x509.load_pem_x509_certificate(root_of("p256").encode())
    assert issued(context=late).not_valid_after_utc == ca.not_valid_after_utc
    with pytest.raises(AuthorityNotValidNow):
        issued(context=msgspec.structs.replace(CONTEXT, at=1_780_000_000 + 3651 * 86_400))


def altered_request(find: bytes, instead: bytes) -> bytes:
    der = x509.load_pem_x509_csr(ASKED).public_bytes(Encoding.DER).replace(find, instead)
    return x509.load_der_x509_csr(der).public_bytes(Encoding.PEM)


SAN = x509.SubjectAlternativeName
REFUSED = {
    "another name than was signed": (lambda: altered_request(b"a.internal", b"b.internal"), RequestNotProven),
    "a host of others": (lambda: certificate_request(7, "www.bank.example"), NameNotAllowed),
    "a host of others beside a good one": (lambda: certificate_request(7, HOST, "x.example"), NameNotAllowed),
    "a wildcard": (lambda: certificate_request(7, "*.internal.acme.example"), NamesMalformed),
    "capitals": (lambda: certificate_request(7, "A.internal.acme.example"), NamesMalformed),
    "a host twice": (lambda: certificate_request(7, HOST, HOST), NamesMalformed),
    "a common name that is no host of it": (
        lambda: certificate_request(7, HOST, common="b.internal.acme.example"),
        NameNotAllowed,
    ),
    "an address": (
        lambda: request_of(private_key("p256", 5), (SAN([x509.RFC822Name("a@internal.acme.example")]), False)),
        NamesMalformed,
    ),
    "no name": (lambda: request_of(private_key("p256", 5), common=""), NameMissing),
    "a common name that is no host": (lambda: request_of(private_key("p256", 5), common="Acme Ltd"), NameMissing),
    "a small RSA key": (lambda: request_of(rsa.generate_private_key(65537, 1024)), CertifiedKeyUnfit),
    "an RSA key with another exponent": (lambda: request_of(rsa.generate_private_key(3, 2048)), CertifiedKeyUnfit),
    "a curve that nobody listed": (lambda: request_of(ec.generate_private_key(ec.SECP256K1())), CertifiedKeyUnfit),
    "a DSA key": (lambda: request_of(dsa.generate_private_key(1024)), CertifiedKeyUnfit),
    "the CA's own key": (lambda: request_of(private_key("p256", 0)), CertifiedKeyUnfit),
    "two requests": (lambda: ASKED * 2, RequestMalformed),
    "a certificate": (lambda: root_of("p256").encode(), RequestMalformed),
    "nothing": (lambda: b"", RequestMalformed),
    "too much": (lambda: ASKED + b"\n" * 9000, RequestMalformed),
    "half of it": (lambda: ASKED[:100] + b"\n-----END CERTIFICATE REQUEST-----\n", RequestMalformed),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refuses(name: str) -> None:
    data, rule = REFUSED[name][0](), REFUSED[name][1]
    with pytest.raises(rule):
        issued(data)


def test_refuses_without_a_profile_or_a_ca() -> None:
    with pytest.raises(CertificateProfileMissing):
        issued(context=msgspec.structs.replace(CONTEXT, certificate=None))
    key = key_record("p256", CERTIFICATE.name)
    with pytest.raises(CertificateMissing):
        issued(key=msgspec.structs.replace(key, certificates=""))
    with pytest.raises(NotAnAuthority):
        issued(key=msgspec.structs.replace(key, certificates=key_record("p256", "cms").certificates))


@pytest.mark.parametrize(
    "said",
    [
        {"usage": "tls-client"}, {"names": ("b.*",)}, {"seconds": 86_399}, {"organization": ""}, {"country": "AT"},
        {"crl_url": ""}, {"crl_url": "http://crl.acme.example/other.crl"},
    ],
    ids=str,
)  # fmt: skip
def test_another_profile_than_that_of_the_request_is_seen(said: dict[str, object]) -> None:
    output, _ = signed(CERTIFICATE, ASKED)
    with pytest.raises(CertificateForAnother):
        CERTIFICATE.check(output, artifact_of(ASKED, "x", CERTIFICATE), key_record("p256", CERTIFICATE.name),
                          profiled(**said))  # fmt: skip


@given(st.binary(max_size=400) | st.integers(30, len(ASKED) - 40).map(lambda at: ASKED[:at] + b"A" + ASKED[at + 1 :]))
def test_any_bytes_are_a_request_or_refused(data: bytes) -> None:
    try:
        read_request(data)
    except HsmpubError:
        return
    assert data.strip() == ASKED.strip()


# --- lists of revoked certificates ---


def listed(asked: bytes, before: RevokedSoFar, at: int = CONTEXT.at, kind: str = "p256"):
    context = msgspec.structs.replace(CONTEXT, at=at, revoked=before)
    output, said = signed(CRL, asked, key_record(kind, CRL.name), context)
    assert isinstance(said, CrlSaid)
    return output, said


@both_kinds
def test_openssl_verifies_the_list_and_refuses_the_certificate_on_it(tmp_path: Path, kind: str, proof: Prove) -> None:
    certificate, said = signed(CERTIFICATE, ASKED, key_record(kind, CERTIFICATE.name))
    assert isinstance(said, CertificateSaid)
    check = ("verify", "-crl_check", "-CAfile", "ca.pem", "-CRLfile", "list.pem", "-attime", AT, "leaf.pem")
    empty, _ = listed(b"", NONE_YET, kind=kind)
    written(tmp_path, certificate, kind, crl=empty)
    assert openssl(tmp_path, *check)[0]
    full, told = listed(f"{said.serial} keyCompromise\n".encode(), RevokedSoFar(2, (), {said.serial}), kind=kind)
    assert told == CrlSaid(f"{kind}-0", 2, (Revoked(said.serial, "keyCompromise", CONTEXT.at),))
    written(tmp_path, certificate, kind, crl=full)
    ok, why = openssl(tmp_path, *check)
    assert not ok
    assert "certificate revoked" in why
    ok, text = openssl(tmp_path, "crl", "-in", "list.pem", "-noout", "-text", "-crlnumber", "-CAfile", "ca.pem")
    assert ok
    assert "verify OK" in text
    assert "Key Compromise" in text
    assert "crlNumber=" in text
    der = bytearray(x509.load_pem_x509_crl(full).public_bytes(Encoding.DER))
    der[der.index(bytes.fromhex(said.serial)) + 3] ^= 1
    (tmp_path / "list.pem").write_bytes(x509.load_der_x509_crl(bytes(der)).public_bytes(Encoding.PEM))
    altered = openssl(tmp_path, "crl", "-in", "list.pem", "-noout", "-CAfile", "ca.pem")[1]
    proof(CRL.name, kind, "openssl crl", good="verify OK" in text, tampered="verify OK" in altered)
    proof(CRL.name, kind, "openssl verify -crl_check", good="certificate revoked" in why,
          tampered="CRL signature failure" not in openssl(tmp_path, *check)[1])  # fmt: skip


def test_a_list_is_over_when_the_next_is_due(tmp_path: Path) -> None:
    certificate, _ = signed(CERTIFICATE, ASKED, context=profiled(seconds=30 * 86_400))
    written(tmp_path, certificate, crl=listed(b"", NONE_YET)[0])
    check = ("verify", "-crl_check", "-CAfile", "ca.pem", "-CRLfile", "list.pem")
    assert openssl(tmp_path, *check, "-attime", str(CONTEXT.at + 7 * 86_400 - 1), "leaf.pem")[0]
    ok, why = openssl(tmp_path, *check, "-attime", str(CONTEXT.at + 7 * 86_400 + 1), "leaf.pem")
    assert not ok
    assert "CRL has expired" in why


def test_what_was_revoked_before_stays_with_its_time_and_reason() -> None:
    output, said = listed(b"def superseded\n", CONTEXT.revoked)
    found = {f"{one.serial_number:x}": one for one in x509.load_pem_x509_crl(output)}
    assert found.keys() == {"abc", "def"}
    assert found["abc"].revocation_date_utc.timestamp() == 1_780_000_100
    assert [one.serial for one in said.revoked] == ["def"]


@pytest.mark.parametrize(
    ("asked", "rule"),
    [
        (b"abc keyCompromise\n", AlreadyRevoked),
        (b"999 keyCompromise\n", NotIssuedHere),
        (b"def certificateHold\n", RevocationsMalformed),
        (b"def removeFromCRL\n", RevocationsMalformed),
        (b"def keyCompromise", RevocationsMalformed),
        (b"DEF keyCompromise\n", RevocationsMalformed),
        (b"0def keyCompromise\n", RevocationsMalformed),
        (b"def superseded\ndef keyCompromise\n", RevocationsMalformed),
        (b"def\n", RevocationsMalformed),
        (b"\xff\n", RevocationsMalformed),
        (b"".join(b"%x superseded\n" % number for number in range(1, 200)), RevocationsMalformed),
        (b"x" * 20_000, RevocationsMalformed),
    ],
)
def test_refuses_to_revoke(asked: bytes, rule: type[Exception]) -> None:
    with pytest.raises(rule):
        listed(asked, CONTEXT.revoked)


def test_refuses_a_list_without_its_profile_or_the_log() -> None:
    for missing in ({"crl": None}, {"revoked": None}):
        with pytest.raises(CrlProfileMissing):
            signed(CRL, b"", context=msgspec.structs.replace(CONTEXT, **missing))


@pytest.mark.parametrize(
    "other",
    [
        {"at": CONTEXT.at + 1},
        {"revoked": msgspec.structs.replace(CONTEXT.revoked, number=42)},
        {"revoked": msgspec.structs.replace(CONTEXT.revoked, certificates=())},
        {"revoked": msgspec.structs.replace(CONTEXT.revoked, certificates=(Revoked("abc", "superseded", 1),))},
    ],
)
def test_another_list_than_the_log_s_is_seen(other: dict[str, object]) -> None:
    output, _ = signed(CRL, b"def superseded\n")
    artifact = artifact_of(b"def superseded\n", "x", CRL)
    with pytest.raises(CrlForAnother):
        CRL.check(output, artifact, key_record("p256", CRL.name), msgspec.structs.replace(CONTEXT, **other))


@given(st.lists(st.tuples(st.integers(1, 1 << 128), st.sampled_from(["superseded", "unspecified"])), max_size=8,
                unique_by=lambda one: one[0]))  # fmt: skip
def test_revocations_are_read_as_they_are_written(revoked: list[tuple[int, str]]) -> None:
    lines = [(f"{serial:x}", reason) for serial, reason in revoked]
    assert parse_revocations(dump_revocations(lines)) == lines


@given(st.binary(max_size=200))
def test_any_bytes_are_revocations_or_refused(data: bytes) -> None:
    try:
        assert dump_revocations(parse_revocations(data)) == data
    except RevocationsMalformed:
        return


def test_a_root_takes_host_names_only() -> None:
    with pytest.raises(HostMalformed):
        root_of("p256", 0, "*.acme.example")


def test_extract_is_what_is_signed() -> None:
    assert CERTIFICATE.extract(BytesSource(ASKED)) == ASKED
    assert CRL.extract(BytesSource(b"")) == b""
