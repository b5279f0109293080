"""Sigstore's own JavaScript verifier takes our bundles, and our attestations in a bundle."""

from __future__ import annotations

import json

import pytest
from software_hsm import key_record, make, pem_of

from hsmpub.formats.registry import FORMATS
from tests.npm import installed, node

DATA = b"A release.\r\n" * 9
both_kinds = pytest.mark.parametrize("kind", ["p256", "rsa3072"])


@pytest.fixture
def version():
    return installed("@sigstore/verify")


def verdict(folder, bundle: bytes, data: bytes, pem: str):
    for name, content in (("bundle.json", bundle), ("x", data), ("key.pem", pem.encode())):
        (folder / name).write_bytes(content)
    return node("sigstore.cjs", "bundle.json", "x", "key.pem", cwd=folder)


@both_kinds
def test_bundle_verifies_and_tampering_is_refused(version, tmp_path, kind, proof):
    bundle = make(FORMATS["sigstore-bundle"], DATA, key_record(kind, "sigstore-bundle"))
    good = verdict(tmp_path, bundle, DATA, pem_of(kind))
    tampered = verdict(tmp_path, bundle, DATA + b"\n", pem_of(kind))
    assert b"SIGNATURE_ERROR" in tampered.stderr
    proof("sigstore-bundle", kind, "@sigstore/verify", good=not good.returncode, tampered=not tampered.returncode,
          version=version)  # fmt: skip
    assert b"SIGNATURE_ERROR" in verdict(tmp_path, bundle, DATA, pem_of(kind, 1)).stderr


@both_kinds
def test_attestation_verifies_and_tampering_is_refused(version, tmp_path, kind, proof):
    envelope = json.loads(make(FORMATS["dsse"], DATA, key_record(kind, "dsse")))
    bundle = {
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {"publicKey": {"hint": "release"}},
        "dsseEnvelope": envelope,
    }
    good = json.dumps(bundle).encode()
    taken = verdict(tmp_path, good, DATA, pem_of(kind))
    assert verdict(tmp_path, good, DATA, pem_of(kind, 1)).returncode == 1
    envelope["payload"] = envelope["payload"].replace("A", "B", 1)
    tampered = verdict(tmp_path, json.dumps(bundle).encode(), DATA, pem_of(kind))
    assert tampered.returncode in (0, 1)
    proof("dsse", kind, "@sigstore/verify", good=not taken.returncode, tampered=not tampered.returncode,
          version=version)  # fmt: skip
