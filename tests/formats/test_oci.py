"""Signatures over images: what they say, how they lie beside the image, and that openssl verifies the payload."""

from __future__ import annotations

import base64
import hashlib
import json

import msgspec
import pytest
from foreign_tool import accepts, needs
from hypothesis import given
from hypothesis import strategies as st
from software_hsm import CONTEXT, IMAGE, artifact_of, key_record, make, pem_of, sign_raw

from hsmpub.formats.context import Context
from hsmpub.formats.dsse_read import DssePredicateDiffers
from hsmpub.formats.intoto.given import PredicateMissing
from hsmpub.formats.intoto.provenance import BuildUnknown
from hsmpub.formats.oci.attachment import BUNDLE, layers_of, referrer, tag_of, tagged
from hsmpub.formats.oci.named import image_named_in
from hsmpub.formats.oci.simple_signing_read import ImageAnnotationsDiffer, ImageDiffers, NoImage
from hsmpub.formats.registry import FORMATS

OCI = FORMATS["oci-signature"]
DATA = b'{"schemaVersion":2}'
DIGEST = f"sha256:{hashlib.sha256(DATA).hexdigest()}"


def payload_of(output: bytes) -> bytes:
    return base64.b64decode(json.loads(output)["Payload"])


def test_names_repository_and_digest_and_says_who_asked_for_what():
    assert json.loads(payload_of(make(OCI, DATA, key_record("p256", "oci-signature")))) == {
        "critical": {
            "identity": {"docker-reference": IMAGE},
            "image": {"docker-manifest-digest": DIGEST},
            "type": "cosign container image signature",
        },
        "optional": {
            "project": CONTEXT.project, "request": CONTEXT.request, "service": CONTEXT.service,
            "version": CONTEXT.version,
        },
    }  # fmt: skip
    prepared = OCI.prepare(artifact_of(DATA, format_=OCI), key_record("p256", "oci-signature"), Context(at=1))
    assert json.loads(prepared.parts[0])["optional"] is None


@pytest.mark.parametrize("kind", ["p256", "rsa3072", "ed25519"])
@pytest.mark.parametrize("name", ["oci-signature", "oci-bundle", "slsa-provenance", "in-toto"])
def test_openssl_verifies_what_is_signed(tmp_path, name, kind, proof):
    needs("openssl")
    output = json.loads(make(FORMATS[name], DATA, key_record(kind, name)))
    if name == "oci-signature":
        signed, signature = base64.b64decode(output["Payload"]), output["Base64Signature"]
    else:
        payload = base64.b64decode(output["payload"])
        signed = b"DSSEv1 28 application/vnd.in-toto+json %d %b" % (len(payload), payload)
        signature = output["signatures"][0]["sig"]
    for file, content in (("signed", signed), ("bad", signed + b"\n"), ("sig", base64.b64decode(signature)),
                          ("key.pem", pem_of(kind).encode())):  # fmt: skip
        (tmp_path / file).write_bytes(content)
    verify = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "key.pem", "-sigfile", "sig", "-rawin"]
    verify += [] if kind == "ed25519" else ["-digest", "sha256"]
    good, tampered = (accepts(*verify, "-in", file, cwd=tmp_path) for file in ("signed", "bad"))
    proof(name, kind, "openssl pkeyutl -verify", good=good, tampered=tampered)


def test_refuses_a_signature_of_the_same_image_elsewhere_or_of_another_request():
    key = key_record("p256", "oci-signature")
    output, artifact = make(OCI, DATA, key), artifact_of(DATA, format_=OCI)
    for image in (f"{IMAGE}2", "other.example/acme/web", ""):
        with pytest.raises(ImageDiffers):
            OCI.check(output, msgspec.structs.replace(artifact, image=image), key)
    for name in ("service", "request", "project", "version"):
        for said in ("other", ""):
            with pytest.raises(ImageAnnotationsDiffer):
                OCI.check(output, artifact, key, msgspec.structs.replace(CONTEXT, **{name: said}))


@pytest.mark.parametrize("name", ["oci-signature", "oci-bundle"])
def test_refuses_a_file_that_is_no_image(name):
    with pytest.raises(NoImage):
        FORMATS[name].prepare(artifact_of(DATA), key_record("p256", name), CONTEXT)


@given(st.text(max_size=30), st.text(max_size=30))
def test_no_text_in_a_payload_looks_like_the_end_of_an_openpgp_signature(service, version):
    """Beside `openpgp` on one key: its trailer holds the bytes 04 ff, a payload is JSON to its last byte."""
    key, context = key_record("p256", "oci-signature"), Context(at=1, service=service, version=version)
    prepared = OCI.prepare(artifact_of(DATA, format_=OCI), key, context)
    assert prepared.parts[0].startswith(b'{"critical":{"identity":{"docker-reference":"')
    assert prepared.parts[0].endswith(b"}")
    assert b"\x04" not in prepared.parts[0]
    OCI.check(OCI.assemble(prepared, sign_raw(prepared)), artifact_of(DATA, format_=OCI), key, context)


def test_lies_under_its_tag_with_the_annotation_that_cosign_reads():
    key = key_record("p256", "oci-signature")
    output = make(OCI, DATA, key)
    under_tag, referring = layers_of("oci-signature", output, key)
    assert (under_tag.tag, referring.tag, tag_of(DIGEST, "sig")) == ("sig", "", DIGEST.replace(":", "-") + ".sig")
    assert under_tag.content == payload_of(output)
    said = {"dev.cosignproject.cosign/signature": json.loads(output)["Base64Signature"]}
    assert under_tag.annotations == said
    config, manifest = tagged([under_tag.descriptor()])
    held = json.loads(manifest)
    assert held["layers"][0]["mediaType"] == "application/vnd.dev.cosign.simplesigning.v1+json"
    assert held["config"]["digest"] == f"sha256:{hashlib.sha256(config).hexdigest()}"


@pytest.mark.parametrize("name", ["dsse", "in-toto", "slsa-provenance", "oci-bundle"])
def test_an_attestation_is_a_bundle_that_refers_to_the_image(name):
    key = key_record("p256", name)
    output = make(FORMATS[name], DATA, key)
    *tags, referring = layers_of(name, output, key)
    assert [layer.tag for layer in tags] == ([] if name == "oci-bundle" else ["att"])
    bundle = json.loads(referring.content)
    assert bundle["dsseEnvelope"] == json.loads(output)
    subject = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": DIGEST, "size": len(DATA)}
    listed, manifest = referrer(subject, referring)
    held = json.loads(manifest)
    assert (held["subject"], held["artifactType"], listed["artifactType"]) == (subject, BUNDLE, BUNDLE)
    assert listed["annotations"]["dev.sigstore.bundle.predicateType"].startswith("https://") or name == "dsse"


def test_provenance_says_what_the_context_says_of_the_build_and_nothing_else():
    form, key = FORMATS["slsa-provenance"], key_record("p256", "slsa-provenance")
    output = make(form, DATA, key)
    statement = json.loads(base64.b64decode(json.loads(output)["payload"]))
    build = CONTEXT.build
    assert build is not None
    definition, run = statement["predicate"]["buildDefinition"], statement["predicate"]["runDetails"]
    assert definition["resolvedDependencies"] == [{"uri": build.source, "digest": {"gitCommit": build.commit}}]
    assert run == {"builder": {"id": build.builder}, "metadata": {"invocationId": build.invocation}}
    for name in ("builder", "type", "invocation", "source", "commit"):
        other = msgspec.structs.replace(CONTEXT, build=msgspec.structs.replace(build, **{name: "other"}))
        with pytest.raises(DssePredicateDiffers):
            form.check(output, artifact_of(DATA), key, other)
    for other in (msgspec.structs.replace(CONTEXT, build=None), msgspec.structs.replace(CONTEXT, project="other")):
        with pytest.raises(DssePredicateDiffers):
            form.check(output, artifact_of(DATA), key, other)
    with pytest.raises(BuildUnknown):
        form.prepare(artifact_of(DATA), key, Context(at=1))


def test_a_given_predicate_is_attested_as_it_was_given():
    form, key = FORMATS["in-toto"], key_record("p256", "in-toto")
    output, attest = make(form, DATA, key), CONTEXT.attest
    assert attest is not None
    statement = json.loads(base64.b64decode(json.loads(output)["payload"]))
    assert (statement["predicateType"], statement["predicate"]) == (attest.type, attest.predicate)
    for other in (None, msgspec.structs.replace(attest, type="x:y"), msgspec.structs.replace(attest, predicate={})):
        with pytest.raises(DssePredicateDiffers):
            form.check(output, artifact_of(DATA), key, msgspec.structs.replace(CONTEXT, attest=other))
    with pytest.raises(PredicateMissing):
        form.prepare(artifact_of(DATA), key, Context(at=1))


@pytest.mark.parametrize("name", ["oci-signature", "oci-bundle", "dsse", "slsa-provenance", "in-toto"])
def test_a_signature_says_which_image_it_is_about_and_a_file_is_none(name):
    form, key = FORMATS[name], key_record("p256", name)
    artifact = msgspec.structs.replace(artifact_of(DATA), image=IMAGE)
    prepared = form.prepare(artifact, key, CONTEXT)
    assert image_named_in(name, form.assemble(prepared, sign_raw(prepared))) == IMAGE
    assert image_named_in("cms", form.assemble(prepared, sign_raw(prepared))) == ""
    if not name.startswith("oci-"):
        assert image_named_in(name, make(form, DATA, key)) == ""


@given(st.binary(max_size=200), st.sampled_from(["oci-signature", "dsse"]))
def test_garbage_names_no_image(data, name):
    assert image_named_in(name, data) == ""
