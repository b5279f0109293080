"""Attestations: what they say, and that openssl verifies the encoding that DSSE defines."""

from __future__ import annotations

import base64
import json

import msgspec
import pytest
from foreign_tool import accepts, needs
from hypothesis import given
from hypothesis import strategies as st
from software_hsm import CONTEXT, artifact_of, key_record, make, pem_of, sign_raw

from hsmpub.formats.context import Context
from hsmpub.formats.dsse_read import DsseMalformed, DssePredicateDiffers, DsseSubjectDiffers
from hsmpub.formats.public_key import SignatureDoesNotVerify
from hsmpub.formats.registry import FORMATS

DSSE = FORMATS["dsse"]
DATA = b"A release.\r\n" * 9


def test_says_which_file_of_which_release_and_who_asked():
    envelope = json.loads(make(DSSE, DATA, key_record("p256", "dsse")))
    statement = json.loads(base64.b64decode(envelope["payload"]))
    assert envelope["payloadType"] == "application/vnd.in-toto+json"
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "urn:hsmpub:release-attestation:v1"
    assert statement["subject"] == [{"name": "x.whl", "digest": {"sha256": artifact_of(DATA).state.digest().hex()}}]
    assert statement["predicate"] == {
        "service": CONTEXT.service,
        "request": CONTEXT.request,
        "project": CONTEXT.project,
        "version": CONTEXT.version,
        "commit": CONTEXT.commit,
        "policySha256": CONTEXT.policy_sha256,
        "requester": dict(CONTEXT.requester),
        "signedAt": "2026-09-21T14:13:20Z",
    }


@pytest.mark.parametrize("kind", ["p256", "rsa3072", "ed25519"])
def test_openssl_verifies_the_pre_authentication_encoding(tmp_path, kind, proof):
    needs("openssl")
    envelope = json.loads(make(DSSE, DATA, key_record(kind, "dsse")))
    payload = base64.b64decode(envelope["payload"])
    encoded = b"DSSEv1 28 application/vnd.in-toto+json %d %b" % (len(payload), payload)
    signature = base64.b64decode(envelope["signatures"][0]["sig"])
    for name, content in (("pae", encoded), ("bad", encoded + b"\n"), ("sig", signature),
                          ("key.pem", pem_of(kind).encode())):  # fmt: skip
        (tmp_path / name).write_bytes(content)
    verify = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "key.pem", "-sigfile", "sig", "-rawin"]
    verify += [] if kind == "ed25519" else ["-digest", "sha256"]
    good, tampered = (accepts(*verify, "-in", name, cwd=tmp_path) for name in ("pae", "bad"))
    proof("dsse", kind, "openssl pkeyutl -verify", good=good, tampered=tampered)


def test_an_empty_context_leaves_its_members_out():
    key, context = key_record("p256", "dsse"), Context(at=1)
    prepared = DSSE.prepare(artifact_of(DATA), key, context)
    assert json.loads(prepared.parts[0])["predicate"] == {"signedAt": "1970-01-01T00:00:01Z"}


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=40), max_size=4), st.text(max_size=40))
def test_any_text_of_a_requester_comes_back_as_it_was(claims, project):
    key = key_record("p256", "dsse")
    context = Context(at=CONTEXT.at, project=project, requester=claims)
    prepared = DSSE.prepare(artifact_of(DATA), key, context)
    DSSE.check(DSSE.assemble(prepared, sign_raw(prepared)), artifact_of(DATA), key, context)


@pytest.mark.parametrize("field", ["service", "request", "project", "version", "commit", "policy_sha256"])
def test_refuses_an_attestation_for_another_request(field):
    key = key_record("p256", "dsse")
    output = make(DSSE, DATA, key)
    for said in ("other", ""):
        with pytest.raises(DssePredicateDiffers):
            DSSE.check(output, artifact_of(DATA), key, msgspec.structs.replace(CONTEXT, **{field: said}))
    with pytest.raises(DssePredicateDiffers):
        DSSE.check(output, artifact_of(DATA), key, msgspec.structs.replace(CONTEXT, requester={"issuer": "ci"}))


def test_refuses_an_attestation_about_another_file_or_by_another_key():
    key = key_record("p256", "dsse")
    output = make(DSSE, DATA, key)
    for other in (artifact_of(DATA + b"!"), artifact_of(DATA, "y.whl")):
        with pytest.raises(DsseSubjectDiffers):
            DSSE.check(output, other, key)
    with pytest.raises(SignatureDoesNotVerify):
        DSSE.check(output, artifact_of(DATA), key_record("p256", "dsse", number=1))


def test_refuses_a_key_id_because_cosign_would_skip_the_signature():
    key = key_record("p256", "dsse")
    output = make(DSSE, DATA, key)
    assert json.loads(output)["signatures"][0]["keyid"] == ""
    with pytest.raises(DsseMalformed):
        DSSE.check(output.replace(b'"keyid":""', b'"keyid":"x"'), artifact_of(DATA), key)
