"""osslsigncode takes installers, cabinets and catalogues that were signed here, and no altered ones."""

from __future__ import annotations

import struct

import pytest
from foreign_tool import accepts, needs, run
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import OTHERS, SAMPLES, pe_file
from software_hsm import CONTEXT, artifact_of, chain_of, key_record, make
from windows_samples import SHA1, cab_file, cat_list, cat_of, compound_file, msi_file

from hsmpub.client.choosing import choose_formats
from hsmpub.errors import Invalid
from hsmpub.formats.cms.pe import pe_digest
from hsmpub.formats.detail import DetailMalformed
from hsmpub.formats.format import OutputForAnother
from hsmpub.formats.purposes import family_of
from hsmpub.formats.registry import FORMATS
from hsmpub.formats.source import BytesSource
from hsmpub.formats.windows.cab import CabMalformed
from hsmpub.formats.windows.catalogue import CatalogueDigestsWeak, CatalogueMalformed, CatalogueTooLarge
from hsmpub.formats.windows.compound import CompoundFile
from hsmpub.formats.windows.msi import NotAnInstaller
from hsmpub.formats.windows.storage import CompoundMalformed

MSI, CAB, CAT = (FORMATS[name] for name in ("msi", "cab", "cat"))
both_kinds = pytest.mark.parametrize("kind", ["p256", "rsa3072"])
WIX = """<?xml version="1.0"?>
<Wix xmlns="http://schemas.microsoft.com/wix/2006/wi">
  <Product Id="*" UpgradeCode="ABCDDCBA-86C7-4D14-AEC0-86416A69ABDE" Name="Thing" Version="1.0.0" Manufacturer="Acme"
      Language="1033">
    <Package InstallerVersion="200" Compressed="yes"/>
    <Media Id="1" Cabinet="product.cab" EmbedCab="yes"/>
    <Directory Id="TARGETDIR" Name="SourceDir"><Directory Id="INSTALLDIR" Name="Thing">
      <Component Id="C" Guid="ABCDDCBA-83F1-4F22-985B-FDB3C8ABD471"><File Id="F" Source="thing"/></Component>
    </Directory></Directory>
    <Feature Id="Default" Level="1"><ComponentRef Id="C"/></Feature>
  </Product>
</Wix>
"""


def signed(form, data: bytes, kind="p256", number=0) -> bytes:
    key = key_record(kind, form.name, number=number)
    return b"".join(form.attach(BytesSource(data), make(form, data, key, number)))


def verdict(folder, name: str, data: bytes, kind, *more: object):
    needs("osslsigncode")
    (folder / name).write_bytes(data)
    (folder / "ca").write_text(chain_of(kind, 0)[1])
    return run("osslsigncode", "verify", "-in", name, "-CAfile", "ca", "-time", CONTEXT.at, *more, cwd=folder)


@pytest.fixture(scope="module")
def installer(tmp_path_factory) -> bytes:
    """Built by wixl, with a stream of 200 KiB put in by msibuild."""
    needs("wixl")
    needs("msibuild")
    folder = tmp_path_factory.mktemp("msi")
    (folder / "x.wxs").write_text(WIX)
    (folder / "thing").write_bytes(bytes(i * i % 251 for i in range(9000)))
    (folder / "large").write_bytes(bytes(i % 253 for i in range(200 << 10)))
    assert accepts("wixl", "-o", "x.msi", "x.wxs", cwd=folder)
    assert accepts("msibuild", "x.msi", "-a", "Binary.large", "large", cwd=folder)
    return (folder / "x.msi").read_bytes()


@pytest.fixture(scope="module")
def cabinet(tmp_path_factory) -> bytes:
    needs("gcab")
    folder = tmp_path_factory.mktemp("cab")
    (folder / "thing").write_bytes(bytes(i * i % 251 for i in range(9000)))
    (folder / "other").write_bytes(b"other")
    assert accepts("gcab", "-c", "-z", "x.cab", "thing", "other", cwd=folder)
    return (folder / "x.cab").read_bytes()


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :]


@both_kinds
def test_a_signed_installer_is_taken_and_no_altered_one(tmp_path, installer, kind, proof):
    package = signed(MSI, installer, kind)
    said = verdict(tmp_path, "x.msi", package, kind)
    assert (said.returncode, b"Calculated MsiDigitalSignatureEx" in said.stdout) == (0, True), said.stdout
    content = package.index(bytes(i % 253 for i in range(100)))
    created = package.index("\5SummaryInformation".encode("utf-16-le")) + 100  # of its place in the directory
    taken = [verdict(tmp_path, "altered.msi", flipped(package, at), kind).returncode == 0 for at in (content, created)]
    maker = "wixl's and msibuild's package"
    proof("msi", kind, "osslsigncode verify", good=said.returncode == 0, tampered=any(taken), on=maker)
    (tmp_path / "plain.msi").write_bytes(installer)
    read = [run("msiinfo", "export", one, "File", cwd=tmp_path).stdout for one in ("x.msi", "plain.msi")]
    assert read[0] == read[1] != b""
    names = run("msiinfo", "streams", "x.msi", cwd=tmp_path).stdout.split()
    assert {b"\5DigitalSignature", b"\5MsiDigitalSignatureEx", b"Binary.large", b"product.cab"} <= set(names)


@both_kinds
def test_a_signed_cabinet_is_taken_and_no_altered_one(tmp_path, cabinet, kind, proof):
    whole = signed(CAB, cabinet, kind)
    good = verdict(tmp_path, "x.cab", whole, kind).returncode == 0
    places = (8, 30, 61, 300)  # size, flags, folder, content
    taken = [verdict(tmp_path, "altered.cab", flipped(whole, at), kind).returncode == 0 for at in places]
    proof("cab", kind, "osslsigncode verify", good=good, tampered=any(taken), on="gcab's cabinet")
    needs("cabextract")
    assert accepts("cabextract", "-t", "x.cab", cwd=tmp_path)


@both_kinds
def test_a_program_is_taken_by_its_signed_catalogue_and_no_other(tmp_path, kind, proof):
    catalogue = cat_of(cat_list(pe_digest(BytesSource(pe_file())), bytes(range(32))))
    whole = signed(CAT, catalogue, kind)
    good = verdict(tmp_path, "x.cat", whole, kind).returncode == 0
    altered = flipped(whole, whole.index(bytes(range(32))))
    tampered = verdict(tmp_path, "altered.cat", altered, kind).returncode == 0
    proof("cat", kind, "osslsigncode verify", good=good, tampered=tampered)
    listed = [verdict(tmp_path, "x.exe", pe_file(size), kind, "-catalog", "x.cat").returncode for size in (1536, 2048)]
    proof("cat", kind, "osslsigncode verify -catalog", good=listed[0] == 0, tampered=listed[1] == 0)


@pytest.mark.parametrize("name", ["msi", "cab", "cat"])
def test_what_another_program_signed_is_signed_anew_without_a_trace_of_it(tmp_path, name, installer, cabinet):
    """osslsigncode signs first; then we; then another key of ours."""
    needs("osslsigncode")
    form = FORMATS[name]
    data = {"msi": installer, "cab": cabinet, "cat": SAMPLES["cat"]}[name]
    (tmp_path / "x").write_bytes(data)
    request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "k", "-out", "c", "-subj", "/CN=Stranger"]
    assert accepts("openssl", *request, "-addext", "extendedKeyUsage=codeSigning", cwd=tmp_path)
    said = run(
        "osslsigncode", "sign", "-certs", "c", "-key", "k", "-h", "sha256", "-in", "x", "-out", "y", cwd=tmp_path
    )
    assert said.returncode == 0, said.stdout
    theirs = (tmp_path / "y").read_bytes()
    assert b"Stranger" in theirs
    assert form.extract(BytesSource(theirs)) == form.extract(BytesSource(data))
    ours = signed(form, theirs)
    assert b"Stranger" not in ours
    assert verdict(tmp_path, f"z.{name}", ours, "p256").returncode == 0
    again = signed(form, ours, number=1)
    assert verdict(tmp_path, f"z.{name}", again, "p256").returncode != 0  # the root of another key
    assert b"".join(form.attach(BytesSource(theirs), form.detach(BytesSource(again)))) == again


def test_the_first_three_and_catalogues_share_keys_and_no_signature(tmp_path):
    assert family_of("msi") == {"authenticode", "msi", "cab", "cat"}
    key = key_record("p256", "msi", "cab", "authenticode")
    digest = MSI.extract(BytesSource(msi_file()))
    artifact = artifact_of(msi_file())
    details = dict.fromkeys(("msi", "cab", "authenticode"), digest)
    artifact = type(artifact)(artifact.name, artifact.state, details)
    output = MSI.assemble(
        prepared := MSI.prepare(artifact, key, CONTEXT), __import__("software_hsm").sign_raw(prepared)
    )
    MSI.check(output, artifact, key)
    for other in (CAB, FORMATS["authenticode"]):
        with pytest.raises(OutputForAnother):
            other.check(output, artifact, key)


@pytest.mark.parametrize("sector", [512, 4096])
@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 4095, 4096, 4097, 70_000, 8 << 20])
def test_streams_of_any_size_come_out_as_they_went_in(sector, size):
    streams = {"a": bytes(i % 251 for i in range(min(size, 70_000))).ljust(size, b"z"), "b": b"b", "c/d": b"d" * size}
    data = compound_file(streams, sector)
    found = CompoundFile(source := BytesSource(data))
    held = {one.name.decode("utf-16-le"): b"".join(found.stream(source, one)) for one in found.root.streams()}
    assert held == {"a": streams["a"], "b": b"b", "d": streams["c/d"]}
    output = bytes(range(200)) * (1 + size % 40)
    assert MSI.held(BytesSource(whole := b"".join(MSI.attach(BytesSource(data), output)))) == output
    assert b"".join(MSI.attach(BytesSource(whole), output)) == whole


@pytest.mark.parametrize("sector", [512, 4096])
def test_a_large_package_of_either_version_is_taken(tmp_path, sector):
    """Its table of sectors does not fit into the header."""
    data = compound_file(
        {"large": bytes(range(256)) * (40 << 10), **{f"small {n}": b"x" * n for n in range(99)}}, sector
    )
    package = signed(MSI, data)
    said = verdict(tmp_path, "x.msi", package, "p256")
    assert said.returncode == 0, said.stdout
    place = package.index(bytes(range(256)))
    assert verdict(tmp_path, "y.msi", flipped(package, place + (9 << 20)), "p256").returncode != 0


def test_a_directory_of_any_number_of_names_is_a_red_black_tree():
    for count in (*range(1, 40), 300):
        data = compound_file({f"stream {number}": b"x" for number in range(count)})
        assert len(list(CompoundFile(BytesSource(data)).root.streams())) == count
        check_tree(data)


def check_tree(data: bytes) -> None:
    """[MS-CFB] 2.6.4: sorted; no red below red; the same number of black ones on every way down."""
    at = int.from_bytes(data[48:52], "little") * 512 + 512

    def row(number: int) -> bytes:
        return data[at + number * 128 : at + number * 128 + 128]

    def black(number: int, above: int) -> tuple[int, list[bytes]]:
        if number == 0xFFFFFFFF:
            return 0, []
        colour, left, right = struct.unpack("<xxxBII", row(number)[64:76])
        assert above or colour
        (one, before), (two, after) = black(left, colour), black(right, colour)
        assert one == two
        length = int.from_bytes(row(number)[64:66], "little")
        return one + colour, [*before, row(number)[: length - 2], *after]

    _, names = black(int.from_bytes(row(0)[76:80], "little"), 0)
    assert names == sorted(names, key=lambda name: (len(name), name.decode("utf-16-le").upper()))


@pytest.mark.parametrize(
    ("name", "file", "rule"),
    [
        ("msi", b"", CompoundMalformed),
        ("msi", msi_file()[:700], CompoundMalformed),
        ("msi", compound_file({"x": b"x"}, clsid=bytes(16)), NotAnInstaller),
        ("msi", b"PK\3\4" + bytes(600), CompoundMalformed),
        ("cab", b"MSCF", CabMalformed),
        ("cab", cab_file() + b"hidden", CabMalformed),
        ("cab", cab_file()[:30] + b"\1\0" + cab_file()[32:], CabMalformed),
        ("cab", cab_file()[:30] + b"\4\0" + cab_file()[32:36] + bytes(24) + cab_file()[36:], CabMalformed),
        ("cat", b"\x30\x00", CatalogueMalformed),
        ("cat", cat_of(cat_list()), CatalogueMalformed),
        ("cat", cat_of(cat_list(bytes(20), algorithm=SHA1)), CatalogueDigestsWeak),
        ("cat", cat_of(cat_list(bytes(32), version=2)), CatalogueDigestsWeak),
        ("cat", cat_of(cat_list(*[bytes(32)] * 2000)), CatalogueTooLarge),
    ],
)
def test_what_is_no_such_file_is_refused_by_name(name, file, rule):
    with pytest.raises(rule):
        FORMATS[name].extract(BytesSource(file))


def test_a_catalogue_s_list_that_comes_from_elsewhere_is_taken_apart_by_the_keeper_too():
    key = key_record("p256", "cat")
    artifact = artifact_of(b"x")
    for detail in (b"", cat_list(), cat_list(bytes(20), algorithm=SHA1), bytes(32), cat_list(bytes(32)) + b"\0"):
        with pytest.raises((CatalogueMalformed, DetailMalformed)):
            CAT.prepare(type(artifact)("x", artifact.state, {"cat": detail}), key, CONTEXT)


@pytest.mark.parametrize("name", ["msi", "cab", "cat"])
def test_altered_files_give_another_digest_or_are_refused(name):
    form, data = FORMATS[name], SAMPLES[name]
    whole = signed(form, data)

    @given(st.integers(0, len(whole) - 1), st.integers(1, 255), st.integers(0, 40))
    @settings(max_examples=80)
    def never_crashes(at: int, change: int, cut: int) -> None:
        altered = whole[:at] + bytes((whole[at] ^ change,)) + whole[at + 1 : len(whole) - cut]
        try:
            form.extract(BytesSource(altered))
            form.detach(BytesSource(altered))
            b"".join(form.attach(BytesSource(altered), b"\x30\x03\x02\x01\x00"))
        except Invalid:
            return

    never_crashes()


def test_a_chain_of_sectors_that_loops_or_meets_another_is_refused():
    data = bytearray(compound_file({"large": bytes(9000), "other": bytes(9000)}))
    fat = int.from_bytes(data[76:80], "little") * 512 + 512
    for place, value in ((0, 0), (1, 0), (17, 20), (3, 0xFFFFFFFF), (3, 0xFFFFFFFE)):
        altered = bytearray(data)
        altered[fat + 4 * place : fat + 4 * place + 4] = value.to_bytes(4, "little")
        with pytest.raises(CompoundMalformed):
            CompoundFile(BytesSource(bytes(altered)))


def test_kinds_of_files_are_known_by_their_content(tmp_path):
    for name in ("msi", "cab", "cat"):
        path = tmp_path / f"x.{name}"
        path.write_bytes(SAMPLES[name])
        assert choose_formats(path, ()) == (name,)
        assert OTHERS[name] != SAMPLES[name]
