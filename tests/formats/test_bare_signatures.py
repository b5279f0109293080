"""Signatures over the file's own digest, judged by openssl."""

from __future__ import annotations

import base64
import json

import pytest
from foreign_tool import accepts, needs
from hypothesis import given
from hypothesis import strategies as st
from software_hsm import artifact_of, key_record, make, pem_of

from hsmpub.formats.der_signature import ecdsa_der
from hsmpub.formats.registry import FORMATS
from hsmpub.formats.sigstore_bundle_read import BundleDigestDiffers, BundleKeyDiffers, BundleMalformed

DATA = b"A release.\r\n" * 9
both_kinds = pytest.mark.parametrize("kind", ["p256", "rsa3072"])


def openssl_accepts(folder, signature: bytes, data: bytes, pem: str) -> bool:
    needs("openssl")
    for name, content in (("sig", signature), ("x", data), ("key.pem", pem.encode())):
        (folder / name).write_bytes(content)
    return accepts("openssl", "dgst", "-sha256", "-verify", "key.pem", "-signature", "sig", "x", cwd=folder)


@both_kinds
@pytest.mark.parametrize("name", ["der-signature", "sigstore-bundle"])
def test_openssl_verifies_and_refuses_what_was_tampered_with(tmp_path, kind, name, proof):
    output = make(FORMATS[name], DATA, key_record(kind, name))
    if name == "sigstore-bundle":
        output = base64.b64decode(json.loads(output)["messageSignature"]["signature"])
    good, tampered = (openssl_accepts(tmp_path, output, data, pem_of(kind)) for data in (DATA, DATA + b"\n"))
    proof(name, kind, "openssl dgst -verify", good=good, tampered=tampered)
    assert not openssl_accepts(tmp_path, output, DATA, pem_of(kind, 1))


@given(st.integers(1, 2**256 - 1), st.integers(1, 2**256 - 1))
def test_der_is_the_one_of_the_standard(r, s):
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    assert ecdsa_der(r.to_bytes(32, "big") + s.to_bytes(32, "big")) == encode_dss_signature(r, s)


def test_bundle_says_what_differs():
    key, bundle = key_record("p256", "sigstore-bundle"), FORMATS["sigstore-bundle"]
    output = make(bundle, DATA, key)
    with pytest.raises(BundleDigestDiffers):
        bundle.check(output, artifact_of(DATA + b"!"), key)
    with pytest.raises(BundleKeyDiffers):
        bundle.check(output, artifact_of(DATA), key_record("p256", "sigstore-bundle", number=1))


@pytest.mark.parametrize(
    "altered",
    [
        lambda text: text.replace(b'"mediaType"', b'"mediaType":"x","mediaType"', 1),
        lambda text: text.replace(b":", b": ", 1),
        lambda text: text.replace(b"SHA2_256", b"SHA2_512"),
        lambda text: text.replace(b"v0.3", b"v0.2"),
        lambda text: text[:-1] + b',"more":1}',
        lambda text: b"[" * 100_000,
        lambda text: b'{"mediaType":NaN}',
        lambda text: b"\xff",
        lambda text: b"null",
    ],
)
def test_refuses_json_that_two_readers_could_take_differently(altered):
    key, bundle = key_record("p256", "sigstore-bundle"), FORMATS["sigstore-bundle"]
    with pytest.raises(BundleMalformed):
        bundle.check(altered(make(bundle, DATA, key)), artifact_of(DATA), key)
