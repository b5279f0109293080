"""Timestamps by a key of ours: openssl takes them for their file only, and so do we."""

from __future__ import annotations

import hashlib

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from foreign_tool import accepts, needs, run
from software_hsm import CONTEXT, artifact_of, chain_of, key_record, make, pem_of

from hsmpub.formats.certificate_chain import check_chain
from hsmpub.formats.certificate_usage import CertificateUsageUnfit
from hsmpub.formats.cms.der_check import contents, members
from hsmpub.formats.cms.timestamp import TimestampCertificateUnfit
from hsmpub.formats.cms.timestamp_token import see_token
from hsmpub.formats.registry import FORMATS
from hsmpub.model.key import KeyRecord

FORM = FORMATS["timestamp"]
DATA = b"A release.\n" * 7


@pytest.mark.parametrize("kind", ["p256", "rsa3072"])
def test_openssl_verifies_the_timestamp_of_its_file_only(tmp_path, kind, proof):
    needs("openssl")
    root = chain_of(kind, 0, ExtendedKeyUsageOID.TIME_STAMPING)[1]
    (tmp_path / "ca").write_text(root)
    (tmp_path / "x").write_bytes(DATA)
    (tmp_path / "other").write_bytes(DATA + b".")
    output = make(FORM, DATA, key_record(kind, "timestamp"))
    (tmp_path / "x.tsr").write_bytes(output)
    verify = ["openssl", "ts", "-verify", "-in", "x.tsr", "-CAfile", "ca", "-data"]
    good, tampered = (accepts(*verify, name, cwd=tmp_path) for name in ("x", "other"))
    proof("timestamp", kind, "openssl ts -verify", good=good, tampered=tampered)
    said = run("openssl", "ts", "-reply", "-in", "x.tsr", "-text", cwd=tmp_path).stdout
    assert b"Status: Granted." in said
    token = members(contents(output))[1]
    pins = x509.load_pem_x509_certificates(root.encode())
    assert see_token(token, lambda name: hashlib.new(name, DATA).digest(), pins).at == CONTEXT.at


def test_a_certificate_that_is_not_for_timestamps_alone_is_refused():
    for usage in (ExtendedKeyUsageOID.CODE_SIGNING, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE):
        certificates = chain_of("p256", 0, usage)[0]
        key = KeyRecord("k", "p256", pem_of("p256"), 0, ("timestamp",), certificates=certificates)
        with pytest.raises(TimestampCertificateUnfit):
            FORM.prepare(artifact_of(DATA), key, CONTEXT)


def test_every_timestamp_has_a_number_of_its_own():
    outputs = {make(FORM, DATA, key_record("rsa3072", "timestamp"), name=name) for name in ("a", "b")}
    assert len(outputs) == 2


def test_a_certificate_for_timestamps_alone_is_imported_for_a_key_that_makes_nothing_else():
    for_time, for_code = (
        KeyRecord("k", "p256", pem_of("p256"), 0, formats) for formats in (("timestamp",), ("authenticode",))
    )
    time_chain = chain_of("p256", 0, ExtendedKeyUsageOID.TIME_STAMPING)[0]
    assert check_chain(time_chain, for_time, now=CONTEXT.at).length == 2
    for chain, key in ((time_chain, for_code), (chain_of("p256", 0)[0], for_time)):
        with pytest.raises(CertificateUsageUnfit):
            check_chain(chain, key, now=CONTEXT.at)
