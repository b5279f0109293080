"""A signed file that is signed again: by another key, after a timestamp, after another program."""

from __future__ import annotations

import struct

import pytest
from foreign_tool import accepts, needs, run
from samples import RELEASE, SAMPLES, ar_member, deb_file, module_file, pe_file, rpm_file, rpm_header
from software_hsm import CONTEXT, artifact_of, chain_of, key_record, make
from test_format_contract import HERE

from hsmpub.client.embedding import write_signed
from hsmpub.errors import Invalid
from hsmpub.formats.cms.pe import PeMalformed
from hsmpub.formats.cms.stamp import STAMPED, with_timestamp
from hsmpub.formats.registry import FORMATS
from hsmpub.formats.source import BytesSource

EMBEDDED = [one for one in HERE if one.embedded]
embedded = pytest.mark.parametrize("form", EMBEDDED, ids=lambda form: form.name)
#: Any DER will do where nobody looks into a token.
TOKEN = bytes.fromhex("3003020101")


def attached(form, data: bytes, output: bytes) -> bytes:
    return b"".join(form.attach(BytesSource(data), output))


@embedded
def test_another_key_s_signature_takes_the_first_one_s_place_and_nothing_of_it_stays(form):
    data, (first_kind, second_kind) = SAMPLES[form.name], (min(form.key_kinds), max(form.key_kinds))
    first, second = key_record(first_kind, form.name), key_record(second_kind, form.name, number=1)
    once = make(form, data, first)
    if form.name in STAMPED:
        once = with_timestamp(once, TOKEN, form.name)
    signed = attached(form, data, once)
    assert artifact_of(signed, format_=form).details == artifact_of(data, format_=form).details
    output = make(form, signed, second, number=1)
    again = attached(form, signed, output)
    assert again == attached(form, data, output)
    assert form.detach(BytesSource(again)) == output
    artifact = artifact_of(again, format_=form)
    form.check(output, artifact, second, CONTEXT)
    with pytest.raises(Invalid):
        form.check(output, artifact, first)
    if form.name in STAMPED:
        assert form.timestamp(BytesSource(again)) is None


@embedded
def test_a_file_that_is_signed_in_its_place_is_replaced_whole(form, tmp_path):
    data, (kind, *_) = SAMPLES[form.name], sorted(form.key_kinds)
    path = tmp_path / form.signed_name("x.bin")
    path.write_bytes(attached(form, data, make(form, data, key_record(kind, form.name))))
    key = key_record(kind, form.name, number=1)
    output = make(form, path.read_bytes(), key, number=1, name=path.name)
    hash_ = artifact_of(path.read_bytes()).state
    written = write_signed(path, tmp_path, hash_, output, form, key)
    assert form.detach(BytesSource(written.read_bytes())) == output
    assert [one.name for one in tmp_path.iterdir() if one != path] in ([], [written.name])


def test_a_program_with_nested_or_several_signatures_of_others_has_one_of_ours_afterwards(tmp_path):
    needs("osslsigncode")
    form = FORMATS["authenticode"]
    (tmp_path / "0.exe").write_bytes(pe_file())
    request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "k", "-out", "c", "-subj", "/CN=Stranger"]
    assert accepts("openssl", *request, "-addext", "extendedKeyUsage=codeSigning", cwd=tmp_path)
    sign = ["osslsigncode", "sign", "-certs", "c", "-key", "k", "-h", "sha256"]
    assert accepts(*sign, "-in", "0.exe", "-out", "1.exe", cwd=tmp_path)
    assert accepts(*sign, "-nest", "-in", "1.exe", "-out", "2.exe", cwd=tmp_path)
    nested = (tmp_path / "2.exe").read_bytes()
    at, size = struct.unpack("<II", nested[64 + 24 + 112 + 32 :][:8])
    twice = nested[: 64 + 24 + 112 + 32] + struct.pack("<II", at, 2 * size) + nested[64 + 24 + 112 + 40 :]
    twice += nested[at : at + size]
    with pytest.raises(PeMalformed, match="more than one signature"):
        form.detach(BytesSource(twice))
    output = make(form, nested, key_record("p256", "authenticode"))
    (tmp_path / "ca").write_text(chain_of("p256", 0)[1])
    for theirs in (nested, twice):
        (tmp_path / "3.exe").write_bytes(ours := attached(form, theirs, output))
        assert ours == attached(form, pe_file(), output)
        said = run("osslsigncode", "verify", "-in", "3.exe", "-CAfile", "ca", "-time", CONTEXT.at, cwd=tmp_path)
        assert (said.returncode, b"Number of verified signatures: 1" in said.stdout) == (0, True)


def strangers() -> list[tuple[str, bytes, bytes]]:
    """Format, a file that somebody else signed, and the same one unsigned."""
    blob = bytes(range(200))
    trailer = struct.pack(">BBBBBxxxI", 0, 0, 2, 0, 0, len(blob)) + b"~Module signature appended~\n"
    theirs = rpm_header([(268, 7, len(blob), blob), (1004, 7, 16, bytes(16))], 62)
    package = rpm_file()
    start = 96 + len(rpm_header([(1004, 7, 16, bytes(16)), (1008, 7, 100, bytes(100))], 62))
    rest = package[start + -start % 8 :]
    return [
        ("kernel-module", module_file() + blob + trailer, module_file()),
        ("deb", deb_file() + ar_member(b"_gpgorigin", blob), deb_file()),
        ("rpm", package[:96] + theirs + bytes(-(96 + len(theirs)) % 8) + rest, package),
    ]


@pytest.mark.parametrize(
    ("name", "theirs", "plain"), strangers(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_stranger_s_signature_is_replaced(name, theirs, plain):
    form = FORMATS[name]
    assert form.detach(BytesSource(theirs)) is not None
    output = make(form, theirs, key_record("p256", name))
    assert form.extract(BytesSource(theirs)) == form.extract(BytesSource(plain))
    again = attached(form, theirs, output)
    assert form.detach(BytesSource(again)) == output
    assert bytes(range(200)) not in again


def test_a_text_that_gpg_signed_is_signed_again_as_its_text(tmp_path):
    needs("gpg")
    (tmp_path / "home").mkdir(mode=0o700)
    gpg = ["gpg", "--homedir", tmp_path / "home", "--batch", "--pinentry-mode", "loopback", "--passphrase", ""]
    assert accepts(*gpg, "--quick-generate-key", "stranger", "ed25519", "sign")
    theirs = run(*gpg, "--clearsign", "--digest-algo", "SHA256", stdin=RELEASE).stdout
    run("gpgconf", "--homedir", tmp_path / "home", "--kill", "all")
    form = FORMATS["apt-inrelease"]
    key = key_record("p256", form.name)
    output = make(form, theirs, key)
    assert attached(form, theirs, output) == attached(form, RELEASE, output)
