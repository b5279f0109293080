"""cosign, where it is installed, takes bundles and attestations, and refuses them for another file."""

from __future__ import annotations

import pytest
from foreign_tool import needs, run
from software_hsm import key_record, make, pem_of

from hsmpub.formats.registry import FORMATS

DATA = b"A release.\r\n" * 9
EMPTY_ROOT = '{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}'
PREDICATE = "urn:hsmpub:release-attestation:v1"
both_kinds = pytest.mark.parametrize("kind", ["p256", "rsa3072"])


@pytest.fixture
def folder(tmp_path):
    needs("cosign")
    (tmp_path / "x").write_bytes(DATA)
    (tmp_path / "other").write_bytes(DATA + b"\n")
    (tmp_path / "root.json").write_text(EMPTY_ROOT)
    return tmp_path


def cosign(folder, command: str, *argv: str) -> bool:
    options = ["--key", "key.pem", "--insecure-ignore-tlog", "--new-bundle-format", "--trusted-root", "root.json"]
    return run("cosign", command, *options, *argv, cwd=folder, env={"HOME": str(folder)}).returncode == 0


@both_kinds
def test_bundle_verifies_for_its_file_only(folder, kind, proof):
    (folder / "key.pem").write_text(pem_of(kind))
    (folder / "b").write_bytes(make(FORMATS["sigstore-bundle"], DATA, key_record(kind, "sigstore-bundle")))
    good, tampered = (cosign(folder, "verify-blob", "--bundle", "b", name) for name in ("x", "other"))
    proof("sigstore-bundle", kind, "cosign verify-blob", good=good, tampered=tampered)


@both_kinds
def test_attestation_in_a_bundle_verifies_for_its_file_only(folder, kind, proof):
    envelope = make(FORMATS["dsse"], DATA, key_record(kind, "dsse")).decode()
    head = '{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json",'
    material = '"verificationMaterial":{"publicKey":{"hint":"release"}},'
    (folder / "key.pem").write_text(pem_of(kind))
    (folder / "b").write_text(f'{head}{material}"dsseEnvelope":{envelope}}}')
    verify = ("verify-blob-attestation", "--type", PREDICATE, "--bundle", "b")
    good, tampered = (cosign(folder, *verify, name) for name in ("x", "other"))
    proof("dsse", kind, "cosign verify-blob-attestation", good=good, tampered=tampered)
