"""apksigner takes signed Android packages, and none that was tampered with."""

from __future__ import annotations

import functools

import pytest
from foreign_tool import accepts, needs, run
from hypothesis import given
from hypothesis import strategies as st
from samples import apk_file
from software_hsm import artifact_of, key_record, make

from hsmpub.errors import Invalid
from hsmpub.formats.registry import FORMATS
from hsmpub.formats.source import BytesSource
from hsmpub.formats.zip.apk_block import ApkBlockMalformed, signing_block
from hsmpub.formats.zip.apk_read import ApkSignatureMalformed

APK = FORMATS["apk"]
LARGE = apk_file(2_500_000)


def signed(data: bytes, kind: str = "p256") -> bytes:
    return b"".join(APK.attach(BytesSource(data), make(APK, data, key_record(kind, "apk"))))


def verdict(folder, data: bytes):
    needs("apksigner")
    (folder / "x.apk").write_bytes(data)
    command = ("apksigner", "verify", "--verbose", "--print-certs", "--min-sdk-version", "24", "x.apk")
    return run(*command, cwd=folder, env={"JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"})


@pytest.mark.parametrize("kind", ["p256", "rsa3072"])
def test_apksigner_verifies_schemes_2_and_3_and_refuses_an_altered_package(tmp_path, kind, proof):
    good = signed(LARGE, kind)
    found = verdict(tmp_path, good)
    assert found.returncode == 0, found
    for scheme in (b"v2 scheme (APK Signature Scheme v2): true", b"v3 scheme (APK Signature Scheme v3): true"):
        assert scheme in found.stdout
    assert b"WARNING" not in found.stdout
    altered = good[:1000] + bytes((good[1000] ^ 1,)) + good[1001:]
    tampered = not verdict(tmp_path, altered).returncode
    proof("apk", kind, "apksigner verify", good=not found.returncode, tampered=tampered)


def test_scheme_3_cannot_be_taken_away(tmp_path):
    data = apk_file()
    output = make(APK, data, key_record("p256", "apk"))
    second = int.from_bytes(output[8:16], "little")
    alone = signing_block({0x7109871A: output[20 : 16 + second]})
    found = verdict(tmp_path, b"".join(APK.attach(BytesSource(data), alone)))
    assert found.returncode != 0
    assert b"strip" in (found.stdout + found.stderr).lower(), found
    with pytest.raises(ApkSignatureMalformed):
        APK.check(alone, artifact_of(data, format_=APK), key_record("p256", "apk"))


def test_an_aligned_package_stays_aligned(tmp_path):
    needs("zipalign")
    (tmp_path / "raw.apk").write_bytes(LARGE)
    assert accepts("zipalign", "4", "raw.apk", "aligned.apk", cwd=tmp_path)
    good = signed((tmp_path / "aligned.apk").read_bytes())
    (tmp_path / "signed.apk").write_bytes(good)
    assert accepts("zipalign", "-c", "4", "signed.apk", cwd=tmp_path)


def test_a_package_that_apksigner_signed_is_signed_anew(tmp_path):
    needs("apksigner")
    needs("openssl")
    make_key = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    assert accepts(*make_key, "-keyout", "k", "-out", "c", "-subj", "/CN=x", cwd=tmp_path)
    assert accepts("openssl", "pkcs8", "-topk8", "-nocrypt", "-outform", "DER", "-in", "k", "-out", "k8", cwd=tmp_path)
    (tmp_path / "x.apk").write_bytes(apk_file())
    sign = ["apksigner", "sign", "--key", "k8", "--cert", "c", "--v1-signing-enabled", "false"]
    done = run(*sign, "--out", "y.apk", "x.apk", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    again = signed((tmp_path / "y.apk").read_bytes())
    found = verdict(tmp_path, again)
    assert found.returncode == 0, found
    assert b"CN=Releases 0" in found.stdout


@pytest.mark.parametrize("kind", ["p256", "rsa3072"])
def test_a_signature_moved_from_one_scheme_to_the_other_is_refused(kind):
    """Both together are as long as they should be."""
    data, key = apk_file(), key_record(kind, "apk")
    prepared = APK.prepare(artifact_of(data, format_=APK), key, None)
    size = {"p256": 64, "rsa3072": 384}[kind]
    good = make(APK, data, key)
    claim = APK.read(good, artifact_of(data, format_=APK), key)
    swapped = claim.signature[size:] + claim.signature[:size]
    with pytest.raises(Invalid):
        APK.check(APK.assemble(prepared, swapped), artifact_of(data, format_=APK), key)


@pytest.mark.parametrize("size", [0, 23, 1 << 20, 2**63, 2**64 - 1])
def test_a_signing_block_of_an_impossible_size_is_refused(size):
    good = signed(apk_file())
    place = good.rindex(b"APK Sig Block 42") - 8
    with pytest.raises(ApkBlockMalformed):
        APK.extract(BytesSource(good[:place] + size.to_bytes(8, "little") + good[place + 8 :]))


@functools.cache
def once_signed() -> bytes:
    return signed(apk_file())


@given(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=8), st.integers(0, 2))
def test_an_altered_package_is_refused_or_its_signature_does_not_fit(where, change, how):
    good = once_signed()
    at = int(where * len(good))
    altered = (good[:at] + change + good[at + len(change) :], good[:at], good[at:] + change)[how]
    if altered == good:
        return
    with pytest.raises(Invalid):
        check_whole(altered)


def check_whole(data: bytes) -> None:
    APK.check(APK.detach(BytesSource(data)) or b"", artifact_of(data, format_=APK), key_record("p256", "apk"))
