"""Sigstore's own JavaScript verifier takes our bundles, and our attestations in a bundle.

Its packages are pinned by digest in sigstore_js/package-lock.json. Without node, npm, or a registry in reach the
tests are skipped and say why.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from foreign_tool import needs, run
from software_hsm import key_record, make, pem_of

from hsmpub.formats.registry import FORMATS

SOURCE = Path(__file__).parent / "sigstore_js"
DATA = b"A release.\r\n" * 9
both_kinds = pytest.mark.parametrize("kind", ["p256", "rsa3072"])


@pytest.fixture(scope="module")
def verifier(tmp_path_factory):
    """A folder with the verifier installed."""
    needs("node")
    needs("npm")
    folder = tmp_path_factory.mktemp("sigstore_js") / "verifier"
    shutil.copytree(SOURCE, folder)
    # the person's own home: their npm may need settings to reach its registry
    home = {"HOME": os.environ.get("HOME", str(folder))}
    installed = run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=folder, env=home)
    if installed.returncode:
        pytest.skip("npm could not install sigstore's verifier")
    return folder


def version(verifier: Path) -> str:
    return json.loads((verifier / "node_modules" / "@sigstore" / "verify" / "package.json").read_text())["version"]


def verdict(verifier: Path, folder: Path, bundle: bytes, data: bytes, pem: str):
    for name, content in (("bundle.json", bundle), ("x", data), ("key.pem", pem.encode())):
        (folder / name).write_bytes(content)
    return run("node", verifier / "verify.cjs", "bundle.json", "x", "key.pem", cwd=folder)


@both_kinds
def test_bundle_verifies_and_tampering_is_refused(verifier, tmp_path, kind, proof):
    bundle = make(FORMATS["sigstore-bundle"], DATA, key_record(kind, "sigstore-bundle"))
    good = verdict(verifier, tmp_path, bundle, DATA, pem_of(kind))
    tampered = verdict(verifier, tmp_path, bundle, DATA + b"\n", pem_of(kind))
    assert b"SIGNATURE_ERROR" in tampered.stderr
    proof("sigstore-bundle", kind, "@sigstore/verify", good=not good.returncode, tampered=not tampered.returncode,
          version=version(verifier))  # fmt: skip
    assert b"SIGNATURE_ERROR" in verdict(verifier, tmp_path, bundle, DATA, pem_of(kind, 1)).stderr


@both_kinds
def test_attestation_verifies_and_tampering_is_refused(verifier, tmp_path, kind, proof):
    envelope = json.loads(make(FORMATS["dsse"], DATA, key_record(kind, "dsse")))
    bundle = {
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {"publicKey": {"hint": "release"}},
        "dsseEnvelope": envelope,
    }
    good = json.dumps(bundle).encode()
    taken = verdict(verifier, tmp_path, good, DATA, pem_of(kind))
    assert verdict(verifier, tmp_path, good, DATA, pem_of(kind, 1)).returncode == 1
    envelope["payload"] = envelope["payload"].replace("A", "B", 1)
    tampered = verdict(verifier, tmp_path, json.dumps(bundle).encode(), DATA, pem_of(kind))
    assert tampered.returncode in (0, 1)
    proof("dsse", kind, "@sigstore/verify", good=not taken.returncode, tampered=not tampered.returncode,
          version=version(verifier))  # fmt: skip
