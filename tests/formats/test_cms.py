"""OpenSSL takes CMS signatures for their file only; osslsigncode and sbverify take signed programs."""

from __future__ import annotations

import pytest
from foreign_tool import accepts, needs, run
from samples import pe_file
from software_hsm import CONTEXT, artifact_of, chain_of, key_record, make

from hsmpub.formats.cms.chain import CertificateMissing, CertificateOfAnotherKey, load_chain
from hsmpub.formats.cms.der_check import check_der
from hsmpub.formats.cms.kernel_module import ModuleMalformed
from hsmpub.formats.cms.pe import PeMalformed, PeOverlay, pe_digest
from hsmpub.formats.registry import FORMATS
from hsmpub.formats.source import BytesSource, FileTooShort
from hsmpub.model.key import KeyRecord

both_kinds = pytest.mark.parametrize("kind", ["p256", "rsa3072"])
DATA = b"A release.\r\n" * 9


@both_kinds
def test_openssl_verifies_cms_for_its_file_only(tmp_path, kind, proof):
    needs("openssl")
    (tmp_path / "x").write_bytes(DATA)
    (tmp_path / "other").write_bytes(DATA + b"\n")
    (tmp_path / "ca").write_text(chain_of(kind, 0)[1])
    (tmp_path / "x.p7s").write_bytes(make(FORMATS["cms"], DATA, key_record(kind, "cms")))
    verify = ["openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", "x.p7s"]
    trusting = ["-CAfile", "ca", "-purpose", "any", "-attime", str(CONTEXT.at)]
    good, tampered = (accepts(*verify, *trusting, "-content", name, cwd=tmp_path) for name in ("x", "other"))
    proof("cms", kind, "openssl cms -verify", good=good, tampered=tampered)


@both_kinds
@pytest.mark.parametrize("size", [1536, 1537, 1543])
def test_windows_and_uefi_verifiers_take_a_signed_program_and_no_altered_one(tmp_path, kind, size, proof):
    needs("osslsigncode")
    form, program = FORMATS["authenticode"], pe_file(size)
    output = make(form, program, key_record(kind, "authenticode"))
    signed = b"".join(form.attach(BytesSource(program), output))
    altered = signed[:1000] + bytes((signed[1000] ^ 1,)) + signed[1001:]
    (tmp_path / "x.exe").write_bytes(signed)
    (tmp_path / "altered.exe").write_bytes(altered)
    (tmp_path / "ca").write_text(chain_of(kind, 0)[1])
    verdict = run("osslsigncode", "verify", "-in", "x.exe", "-CAfile", "ca", "-time", str(CONTEXT.at), cwd=tmp_path)
    assert verdict.returncode == 0, verdict.stdout
    assert b"PE checksum" in verdict.stdout
    assert b"MISMATCH" not in verdict.stdout
    tampered = accepts("osslsigncode", "verify", "-in", "altered.exe", "-CAfile", "ca", cwd=tmp_path)
    proof("authenticode", kind, "osslsigncode verify", good=verdict.returncode == 0, tampered=tampered)
    needs("sbverify")
    good, tampered = (accepts("sbverify", "--cert", "ca", name, cwd=tmp_path) for name in ("x.exe", "altered.exe"))
    proof("authenticode", kind, "sbverify", good=good, tampered=tampered)


def built_module(folder) -> bytes:
    """An ELF object with what modinfo reads."""
    needs("gcc")
    source = b'const char i[] __attribute__((section(".modinfo"),used)) = "license=GPL\\0name=x\\0vermagic=6.1 SMP";'
    assert accepts("gcc", "-c", "-x", "c", "-o", "built.o", "-", stdin=source, cwd=folder)
    return (folder / "built.o").read_bytes()


@both_kinds
def test_the_kernel_s_own_tools_read_a_signed_module(tmp_path, kind, proof):
    needs("modinfo")
    form, module = FORMATS["kernel-module"], built_module(tmp_path)
    output = make(form, module, key_record(kind, "kernel-module"))
    (tmp_path / "x.ko").write_bytes(b"".join(form.attach(BytesSource(module), output)))
    said = run("modinfo", "./x.ko", cwd=tmp_path).stdout
    assert b"sig_id:         PKCS#7" in said
    assert b"sig_hashalgo:   sha256" in said
    (tmp_path / "signature").write_bytes(output)
    (tmp_path / "module").write_bytes(module)
    (tmp_path / "signer").write_text(chain_of(kind, 0)[0])
    verify = ["openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", "signature", "-certfile", "signer"]
    trusting = ["-noverify", "-nointern", "-content"]
    good, tampered = (accepts(*verify, *trusting, name, cwd=tmp_path) for name in ("module", "x.ko"))
    proof("kernel-module", kind, "openssl cms -verify", good=good, tampered=tampered, on="gcc's object")
    altered = b"".join(form.attach(BytesSource(module), output))[:-1] + b"!"
    (tmp_path / "altered.ko").write_bytes(altered)
    tampered = b"sig_id" in run("modinfo", "./altered.ko", cwd=tmp_path).stdout
    proof("kernel-module", kind, "modinfo", good=b"sig_id" in said, tampered=tampered, on="gcc's object")


@pytest.mark.parametrize(
    "file",
    [b"", b"MZ" + bytes(40), b"\x7fELF" + bytes(40) + bytes(8) + b"\xff\xff\xff\xff~Module signature appended~\n"],
)
def test_what_is_no_module_is_refused_by_name(file):
    with pytest.raises(ModuleMalformed):
        FORMATS["kernel-module"].extract(BytesSource(file))


@pytest.mark.parametrize(
    ("file", "rule"),
    [
        (b"", PeMalformed),
        (b"MZ", PeMalformed),
        (b"\x7fELF" + bytes(100), PeMalformed),
        (b"MZ" + bytes(58) + b"\xff\xff\xff\x7f", FileTooShort),
        (pe_file()[:200], FileTooShort),
        (pe_file().replace(b"PE\0\0", b"NE\0\0"), PeMalformed),
        (pe_file()[:88] + b"\x07\x01" + pe_file()[90:], PeMalformed),
    ],
)
def test_what_is_no_program_is_refused_by_name(file, rule):
    with pytest.raises(rule):
        pe_digest(BytesSource(file))


def test_what_follows_a_signature_is_refused():
    form = FORMATS["authenticode"]
    signed = b"".join(form.attach(BytesSource(pe_file()), make(form, pe_file(), key_record("p256", "authenticode"))))
    with pytest.raises(PeOverlay):
        form.extract(BytesSource(signed + b"hidden"))


def test_a_key_without_a_chain_or_with_that_of_another_is_refused():
    bare = key_record("p256", "openpgp")
    with pytest.raises(CertificateMissing):
        load_chain(bare)
    other = KeyRecord("k", "p256", bare.public, 0, ("cms",), certificates=chain_of("p256", 1)[0])
    with pytest.raises(CertificateOfAnotherKey):
        FORMATS["cms"].prepare(artifact_of(DATA), other, CONTEXT)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\x30", b"\x30\x80\x00\x00", b"\x30\x81\x01\x00", b"\x30\x82\x00\x80" + bytes(128), b"\x30\x00\x30\x00",
        b"\x3f\x81\x01\x00", b"\x30\x02\x04\x05", b"\x30\x85\x01\x01\x01\x01\x01", b"\x30\x02" * 30 + b"\x05\x00",
    ],
)  # fmt: skip
def test_what_is_not_der_never_meets_a_parser(data):
    with pytest.raises(ValueError, match=r"."):
        check_der(data)
