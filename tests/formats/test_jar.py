"""jarsigner takes signed Java archives, and none that was tampered with."""

from __future__ import annotations

import io
import zipfile

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12
from foreign_tool import accepts, needs, run
from hypothesis import given
from hypothesis import strategies as st
from software_hsm import CONTEXT, artifact_of, chain_of, key_record, make

from hsmpub.errors import Invalid
from hsmpub.formats.detail import DetailMalformed
from hsmpub.formats.format import Artifact, OutputForAnother
from hsmpub.formats.registry import FORMATS
from hsmpub.formats.sha256state import Sha256State
from hsmpub.formats.source import BytesSource
from hsmpub.formats.zip.jar_parts import JarSignedByAnother
from hsmpub.formats.zip.manifest import ManifestMalformed, parse_manifest, with_digests, write_manifest

JAR = FORMATS["jar"]
MANIFEST = b"Manifest-Version: 1.0\nMain-Class: a.B\n\nName: a/\nSealed: true\n\nName: a/B\nSHA-1-Digest: x\nOwn: 1\n"
LONG = "a/" + "ä" * 90 + ".class"


def signed(data: bytes, kind: str = "p256") -> bytes:
    return b"".join(JAR.attach(BytesSource(data), make(JAR, data, key_record(kind, "jar"))))


def verdict(folder, data: bytes, kind: str, *more: x509.Certificate):
    """As `jarsigner -verify -strict` has it, trusting the test's root."""
    needs("jarsigner")
    root = x509.load_pem_x509_certificate(chain_of(kind, 0)[1].encode())
    named = [pkcs12.PKCS12Certificate(one, b"r%d" % i) for i, one in enumerate((root, *more))]
    trusted = pkcs12.serialize_java_truststore(named, BestAvailableEncryption(b"none"))
    (folder / "trusted").write_bytes(trusted)
    (folder / "x.jar").write_bytes(data)
    java = ["-J-XX:TieredStopAtLevel=1", "-J-XX:+UseSerialGC", "-keystore", "trusted", "-storepass", "none"]
    return run("jarsigner", "-verify", "-strict", "-verbose:summary", *java, "x.jar", cwd=folder)


def rewritten(data: bytes, **changes: bytes | None) -> bytes:
    """The archive with entries changed, added, or left out; `__` in a name stands for a slash."""
    renamed = {name.replace("__", "/"): value for name, value in changes.items()}
    whole = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(whole, "w") as new:
        for name in dict.fromkeys([*old.namelist(), *renamed]):
            value = renamed.get(name, old.read(name) if name in old.namelist() else None)
            if value is not None:
                new.writestr(name, value)
    return whole.getvalue()


def with_manifest() -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as new:
        new.writestr(zipfile.ZipInfo("META-INF/"), b"")
        new.writestr("META-INF/MANIFEST.MF", MANIFEST)
        new.writestr("a/B", b"class")
        new.writestr(LONG, b"another")
    return whole.getvalue()


@pytest.mark.parametrize("kind", ["p256", "rsa3072"])
def test_jarsigner_verifies_a_signed_archive_and_none_with_an_altered_entry(tmp_path, kind, proof):
    good = signed(with_manifest(), kind)
    found = verdict(tmp_path, good, kind)
    assert b"jar verified." in found.stdout, found.stdout
    altered = verdict(tmp_path, rewritten(good, a__B=b"clasS"), kind)
    assert altered.returncode in (0, 1)
    proof("jar", kind, "jarsigner -verify -strict", good=not found.returncode, tampered=not altered.returncode)


def test_jarsigner_refuses_an_entry_that_was_added_and_we_refuse_it_too(tmp_path):
    good = signed(with_manifest())
    more = rewritten(good, new=b"")
    assert verdict(tmp_path, more, "p256").returncode == 16
    for other in (more, rewritten(good, a__B=b"clasS"), rewritten(good, a__B=None)):
        with pytest.raises(OutputForAnother):
            check_whole(other)


def check_whole(data: bytes) -> None:
    output = JAR.detach(BytesSource(data))
    assert output is not None
    JAR.check(output, artifact_of(data, format_=JAR), key_record("p256", "jar"))


def test_an_archive_built_by_jar_is_signed_signed_again_and_keeps_its_entries(tmp_path):
    needs("jar")
    (tmp_path / "a.txt").write_bytes(b"a" * 3000)
    assert accepts("jar", "--create", "--file", "x.jar", "--main-class", "a.B", "a.txt", cwd=tmp_path)
    data = (tmp_path / "x.jar").read_bytes()
    once = signed(data)
    assert signed(once)[:100] == once[:100]
    with zipfile.ZipFile(io.BytesIO(signed(once))) as found:
        assert found.testzip() is None
        assert found.read("a.txt") == b"a" * 3000
        names = found.namelist()
        assert names[:3] == ["META-INF/MANIFEST.MF", "META-INF/HSMPUB.SF", "META-INF/HSMPUB.EC"]
        assert b"Main-Class: a.B" in found.read(names[0])
    by_rsa = b"".join(JAR.attach(BytesSource(once), make(JAR, once, key_record("rsa3072", "jar"))))
    assert "META-INF/HSMPUB.EC" not in zipfile.ZipFile(io.BytesIO(by_rsa)).namelist()
    assert verdict(tmp_path, by_rsa, "rsa3072").returncode == 0


def test_a_manifest_that_java_reads_but_we_did_not_write_is_no_signature_of_ours():
    good = signed(with_manifest())
    manifest = zipfile.ZipFile(io.BytesIO(good)).read("META-INF/MANIFEST.MF")
    for changed in (manifest + b"\r\n", manifest.replace(b"\r\n", b"\n"), manifest.replace(b"a.B", b"a.C")):
        assert JAR.detach(BytesSource(rewritten(good, **{"META-INF/MANIFEST.MF": changed}))) is None


@pytest.mark.parametrize("name", ["META-INF/OTHER.SF", "META-INF/other.rsa", "META-INF/SIG-X", "META-INF/manifest.mf"])
def test_an_archive_with_another_s_signature_is_refused_by_name(name):
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as new:
        new.writestr(name, b"x")
    with pytest.raises(JarSignedByAnother):
        JAR.extract(BytesSource(whole.getvalue()))


@pytest.mark.parametrize(
    "manifest",
    [
        b"", b"\n", b"Main-Class: x\n", b"Manifest-Version: 1.0\n\nOther: x\n",
        b"Manifest-Version: 1.0\nno attribute\n",
        b"Manifest-Version: 1.0\nManifest-version: 1.0\n", b"Manifest-Version: 1.0\n\nName: a\n\nName: a\n",
        b"Manifest-Version: 1.0\n\n Name: a\n", b" Manifest-Version: 1.0\n", b"Manifest-Version: \xff\n",
        b"Manifest-Version: 1.0\0\n", b"Manifest-Version: 1.0\n" + b"a\n" * 500_000,
    ],
)  # fmt: skip
def test_a_manifest_that_can_be_read_in_two_ways_is_refused(manifest):
    with pytest.raises(ManifestMalformed):
        parse_manifest(manifest)


def test_a_manifest_written_is_read_the_same_and_its_lines_are_short():
    sections = with_digests(parse_manifest(MANIFEST), {"a/B": bytes(32), LONG: bytes(32)})
    written = write_manifest(sections)
    assert parse_manifest(written) == sections
    assert max(map(len, written.split(b"\r\n"))) <= 70
    assert written.decode().count("SHA") == 2
    assert with_digests(parse_manifest(written), {LONG: bytes(32), "a/B": bytes(32)}) == sections


_LINES = st.lists(
    st.sampled_from(["Name: a", "Name: b", "X: y", " on", "", "SHA-256-Digest: z", "Y: " + "ä" * 99, "?"])
)


@given(st.one_of(_LINES.map("\n".join), _LINES.map("\r\n".join), st.text()))
def test_any_manifest_is_refused_or_written_so_that_it_reads_the_same(text):
    try:
        sections = parse_manifest(b"Manifest-Version: 1.0\n" + text.encode())
    except ManifestMalformed:
        return
    assert parse_manifest(write_manifest(sections)) == sections
    once = with_digests(sections, {"a": bytes(32)})
    assert with_digests(parse_manifest(write_manifest(once)), {"a": bytes(32)}) == once


def test_a_detail_that_is_no_unfinished_hash_is_refused():
    for detail in (b"", bytes(39)):
        with pytest.raises(DetailMalformed):
            JAR.prepare(Artifact("x", Sha256State.of(b""), {"jar": detail}), key_record("p256", "jar"), CONTEXT)
    for detail in (bytes(40), bytes(103)):
        with pytest.raises(Invalid):
            JAR.prepare(Artifact("x", Sha256State.of(b""), {"jar": detail}), key_record("p256", "jar"), CONTEXT)
