"""debsig-verify and rpm take packages that their own tools built and that were signed here, and no altered ones."""

from __future__ import annotations

import contextlib
import struct
import sys
import tempfile
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from foreign_tool import accepts, needs, run
from hypothesis import given, settings
from hypothesis import strategies as st
from openpgp_keys import certificate_of
from samples import ar_member, deb_file, rpm_file, rpm_header
from software_hsm import key_record, make, private_key

from hsmpub.client.choosing import choose_formats
from hsmpub.errors import Invalid
from hsmpub.formats.linux.ar import DebMalformed
from hsmpub.formats.linux.rpm_header import RpmMalformed
from hsmpub.formats.openpgp.certificate import openpgp_fingerprint
from hsmpub.formats.registry import FORMATS
from hsmpub.formats.source import BytesSource, FileTooShort

DEB, RPM = FORMATS["deb"], FORMATS["rpm"]
both_kinds = pytest.mark.parametrize("kind", ["p256", "rsa3072"])


def signed(form, data: bytes, kind, number=0) -> bytes:
    key = key_record(kind, form.name, number=number)
    return b"".join(form.attach(BytesSource(data), make(form, data, key, number)))


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> bytes:
    needs("dpkg-deb")
    folder = tmp_path_factory.mktemp("deb")
    control = folder / "build" / "DEBIAN" / "control"
    control.parent.mkdir(parents=True)
    control.write_text("Package: thing\nVersion: 1.0\nArchitecture: all\nMaintainer: Acme <a@acme.example>\n"
                       "Description: a thing\n")  # fmt: skip
    (folder / "build" / "thing").write_bytes(b"a thing")
    assert accepts("dpkg-deb", "--root-owner-group", "-b", folder / "build", folder / "thing.deb")
    return (folder / "thing.deb").read_bytes()


POLICY = """<?xml version="1.0"?>
<!DOCTYPE Policy SYSTEM "https://www.debian.org/debsig/1.0/policy.dtd">
<Policy xmlns="https://www.debian.org/debsig/1.0/">
  <Origin Name="Acme" id="{id}" Description="Acme"/>
  <Selection><Required Type="origin" File="keys.gpg" id="{id}"/></Selection>
  <Verification MinOptional="0"><Required Type="origin" File="keys.gpg" id="{id}"/></Verification>
</Policy>
"""


class Debsig:
    """debsig-verify with policies and keys below a folder."""

    def __init__(self, folder: Path, kind) -> None:
        self.folder = folder
        number = openpgp_fingerprint(key_record(kind))[-16:]
        for place in ("policies", "keyrings"):
            (folder / place / number).mkdir(parents=True)
        (folder / "policies" / number / "acme.pol").write_text(POLICY.format(id=number))
        run("gpg", "--batch", "--homedir", folder, "--dearmor", "-o", folder / "keyrings" / number / "keys.gpg",
            stdin=certificate_of(kind).encode())  # fmt: skip

    def takes(self, package: bytes) -> bool:
        (self.folder / "x.deb").write_bytes(package)
        return accepts("debsig-verify", "--policies-dir", self.folder / "policies", "--keyrings-dir",
                       self.folder / "keyrings", self.folder / "x.deb", env={"HOME": str(self.folder)})  # fmt: skip


@both_kinds
def test_debsig_verify_takes_a_signed_package_and_no_altered_one(package, kind, proof):
    needs("debsig-verify")
    with tempfile.TemporaryDirectory(prefix="pgp", ignore_cleanup_errors=True) as home:
        debsig, made = Debsig(Path(home), kind), signed(DEB, package, kind)
        assert not debsig.takes(package)
        at = len(package) - 20
        altered = made[:at] + bytes((made[at] ^ 1,)) + made[at + 1 :]
        verdicts = {"good": debsig.takes(made), "tampered": debsig.takes(altered)}
        proof("deb", kind, "debsig-verify", **verdicts, on="dpkg-deb's package")
        assert debsig.takes(signed(DEB, signed(DEB, package, kind, 1), kind))
        assert not debsig.takes(signed(DEB, package, kind, 1))
        assert accepts("dpkg-deb", "-I", Path(home) / "x.deb")
        assert accepts("dpkg-deb", "-c", Path(home) / "x.deb")


SPEC = """Name: thing
Version: 1.0
Release: 1
Summary: a thing
License: MIT
BuildArch: noarch
%description
a thing
%install
mkdir -p %{buildroot}/usr/share/thing
echo a thing > %{buildroot}/usr/share/thing/x
%files
/usr/share/thing/x
"""


@pytest.fixture(scope="module")
def rpm_package(tmp_path_factory) -> bytes:
    needs("rpmbuild")
    folder = tmp_path_factory.mktemp("rpm")
    (folder / "thing.spec").write_text(SPEC)
    built = run("rpmbuild", "--define", f"_topdir {folder}", "-bb", "thing.spec", cwd=folder, env={"HOME": str(folder)})
    assert built.returncode == 0, built.stderr
    [file] = folder.glob("RPMS/*/*.rpm")
    return file.read_bytes()


class RpmDatabase:
    def __init__(self, folder: Path, kind, program="rpm") -> None:
        self.folder = folder
        self.rpm = (program, "--dbpath", folder / "db", "--define", "_pkgverify_level all")
        (folder / "key.asc").write_text(certificate_of(kind))
        self.imported = self._run("--import", folder / "key.asc").returncode == 0

    def _run(self, *words):
        return run(*self.rpm, *words, env={"HOME": str(self.folder)})

    def says(self, package: bytes) -> tuple[bool, str]:
        (self.folder / "x.rpm").write_bytes(package)
        done = self._run("-Kv", self.folder / "x.rpm")
        return done.returncode == 0, done.stdout.decode()


def test_rpm_takes_a_signed_package_and_no_altered_one(rpm_package, tmp_path, proof):
    needs("rpm")
    database = RpmDatabase(tmp_path, "rsa3072")
    key_id = openpgp_fingerprint(key_record("rsa3072"))[-8:].lower()
    taken, said = database.says(signed(RPM, rpm_package, "rsa3072"))
    assert taken, said
    assert f"Header V4 RSA/SHA256 Signature, key ID {key_id}: OK" in said
    assert f"\n    V4 RSA/SHA256 Signature, key ID {key_id}: OK" in said
    taken, said = database.says(signed(RPM, signed(RPM, rpm_package, "rsa3072", 1), "rsa3072"))
    assert taken, said
    assert not database.says(rpm_package)[0]
    assert not database.says(signed(RPM, rpm_package, "rsa3072", 1))[0]
    made = signed(RPM, rpm_package, "rsa3072")
    package_at = made.rindex(bytes.fromhex("8eade801"))
    for at in (package_at + 900, len(made) - 3):  # in the header; in the payload
        altered = database.says(made[:at] + bytes((made[at] ^ 1,)) + made[at + 1 :])[0]
        proof("rpm", "rsa3072", "rpm -Kv", good=taken, tampered=altered, on="rpmbuild's package")


@both_kinds
def test_newer_rpm_takes_a_signed_package_by_a_key_of_either_kind_and_no_altered_one(
    rpm_package, tmp_path, kind, proof
):
    """Version 6, which knows ECDSA, where its rpmkeys is on the PATH under the name rpmkeys6."""
    needs("rpmkeys6")
    database, made = RpmDatabase(tmp_path, kind, "rpmkeys6"), signed(RPM, rpm_package, kind)
    assert database.imported
    taken, said = database.says(made)
    assert "V4 ECDSA/SHA256 signature" in said or "V4 RSA/SHA256 signature" in said, said
    at = made.rindex(bytes.fromhex("8eade801")) + 900
    altered = made[:at] + bytes((made[at] ^ 1,)) + made[at + 1 :]
    assert not database.says(signed(RPM, rpm_package, kind, 1))[0]
    tampered = database.says(altered)[0] or database.says(made[:-3] + b"???")[0]
    proof("rpm", kind, "rpmkeys6 -Kv", good=taken, tampered=tampered, on="rpmbuild's package")


#: What stands in for the service: hsmpub-gpg, with a key in a file.
STAND_IN = """#!{python}
import sys
sys.path[:0] = [{root!r}, {tests!r}]
import software_hsm
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from hsmpub.cli import gpg, gpg_words
from hsmpub.formats.format import Artifact
from hsmpub.formats.registry import get_format
from hsmpub.model.trust import Trust
private = load_pem_private_key(open({pem!r}, "rb").read(), None)
software_hsm.private_key = lambda kind, number=0: private
key = software_hsm.key_record("rsa3072", "openpgp")
def sign(work, name):
    form = get_format(*work.formats)
    prepared = form.prepare(Artifact("x", work.hash), key, software_hsm.CONTEXT)
    return form.assemble(prepared, software_hsm.sign_raw(prepared))
gpg.answer(gpg_words.parse(sys.argv[1:]), Trust("s", "l", "", (key,)), sign)
"""


def test_rpmsign_signs_by_hsmpub_gpg_in_gpg_s_place(rpm_package, tmp_path):
    needs("rpmsign")
    pem = private_key("rsa3072", 0).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "key").write_bytes(pem)
    program, here = tmp_path / "hsmpub-gpg", Path(__file__).parent
    program.write_text(STAND_IN.format(python=sys.executable, root=str(here.parents[1]), tests=str(here),
                                       pem=str(tmp_path / "key")))  # fmt: skip
    program.chmod(0o755)
    (tmp_path / "thing.rpm").write_bytes(rpm_package)
    done = run("rpmsign", "--define", f"__gpg {program}", "--define", "_gpg_name rsa3072-0", "--define",
               "_gpg_digest_algo sha256", "--addsign", tmp_path / "thing.rpm", cwd=tmp_path,
               env={"HOME": str(tmp_path)})  # fmt: skip
    assert done.returncode == 0, done.stderr
    taken, said = RpmDatabase(tmp_path, "rsa3072").says((tmp_path / "thing.rpm").read_bytes())
    assert taken, said
    assert "Header V4 RSA/SHA256 Signature" in said


def test_gpg_takes_both_signatures_of_a_package_with_a_p256_key(rpm_package, tmp_path, proof):
    """rpm 4.18 knows no ECDSA, so what it would check is taken out of the package and given to gpg."""
    needs("gpg")
    made = signed(RPM, rpm_package, "p256")
    at = made.rindex(bytes.fromhex("8eade801"))
    entries, store = struct.unpack(">II", made[at + 8 : at + 16])
    files = {"header": made[at : at + 16 + 16 * entries + store], "whole": made[at:]}
    both = RPM.detach(BytesSource(made))
    first = 2 + both[1] if both[1] < 192 else 3 + ((both[1] - 192) << 8) + both[2] + 192
    with tempfile.TemporaryDirectory(prefix="pgp", ignore_cleanup_errors=True) as home:
        run("gpg", "--batch", "--homedir", home, "--import", stdin=certificate_of("p256").encode())
        for (name, data), signature in zip(files.items(), (both[:first], both[first:]), strict=True):
            (tmp_path / name).write_bytes(data)
            (tmp_path / f"{name}.sig").write_bytes(signature)
            verify = ["gpg", "--batch", "--homedir", home, "--verify", tmp_path / f"{name}.sig", tmp_path / name]
            good = accepts(*verify)
            (tmp_path / name).write_bytes(data[:-1] + b"?")
            proof("rpm", "p256", "gpg --verify", good=good, tampered=accepts(*verify), on="rpmbuild's parts alone")


def test_room_for_a_signature_is_not_left_twice_and_other_tags_stay(rpm_package):
    made = signed(RPM, rpm_package, "rsa3072")
    assert len(made) < len(rpm_package)
    assert signed(RPM, made, "p256").count(b"\0\0\3\xe8") == rpm_package.count(b"\0\0\3\xe8")
    assert RPM.extract(BytesSource(made)) == RPM.extract(BytesSource(rpm_package))


def test_packages_are_known_by_their_content(tmp_path):
    for form, data in ((DEB, deb_file()), (RPM, rpm_file())):
        (tmp_path / "x").write_bytes(data)
        assert choose_formats(tmp_path / "x", ()) == (form.name,)


def test_a_signature_of_another_role_stays_and_an_unpadded_end_is_padded():
    odd = deb_file(b"odd")[:-1]
    made = signed(DEB, odd + b"\n" + ar_member(b"_gpgmaint", b"x"), "p256")
    assert ar_member(b"_gpgmaint", b"x") in made
    assert DEB.detach(BytesSource(signed(DEB, odd, "p256"))) is not None
    assert DEB.extract(BytesSource(odd)) == DEB.extract(BytesSource(made))


@pytest.mark.parametrize(
    "data",
    [
        b"", b"!<arch>\n", deb_file()[:70], deb_file()[:-9], deb_file() + b"\n", deb_file() + ar_member(b"x", b""),
        deb_file() + ar_member(b"data.tar.xz", b""), deb_file().replace(b"data.tar.xz ", b"data.tar.xy "),
        deb_file().replace(b"344       `", b"9999999999`"), deb_file().replace(b"344       `", b"-1        `"),
        deb_file() + b"".join(ar_member(b"_gpg" + bytes((97 + i,)), b"") for i in range(9)),
        deb_file() + ar_member(b"_gpgorigin", b"") * 2, deb_file().replace(b"`\n", b"`\r"),
        deb_file(b"odd")[:-1] + b"x" + ar_member(b"_gpgorigin", b""),
    ],
)  # fmt: skip
def test_what_is_no_package_of_debian_is_refused(data):
    with pytest.raises(Invalid):
        DEB.extract(BytesSource(data))


def broken_rpm(*entries) -> bytes:
    header = rpm_header(list(entries), 62)
    return rpm_file()[:96] + header + bytes(-len(header) % 8) + rpm_header([], 63)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\xed\xab\xee\xdb\x03", rpm_file()[:100], rpm_file()[:96] + bytes(100),
        rpm_file()[:104] + b"\xff" * 8 + rpm_file()[112:], rpm_file()[:104] + b"\0\0\0\1\xff\xff\xff\xff",
        broken_rpm((1000, 4, 9, b"")), broken_rpm((1000, 7, 1 << 31, b"x")), broken_rpm((1000, 9, 1, b"x")),
        broken_rpm((1000, 7, 1, b"x"), (1000, 7, 1, b"x")), broken_rpm((1000, 6, 2, b"x")), rpm_file()[:-40],
        broken_rpm((1000, 7, 0, b"")),
    ],
)  # fmt: skip
def test_what_is_no_package_of_rpm_is_refused(data):
    with pytest.raises(Invalid):
        RPM.extract(BytesSource(data))


@pytest.mark.parametrize(("form", "sample"), [(DEB, deb_file()), (RPM, rpm_file())], ids=["deb", "rpm"])
def test_an_altered_package_is_refused_or_signed_as_what_it_then_is(form, sample):
    key = key_record("p256", form.name)

    @given(st.integers(0, len(sample) - 1), st.integers(1, 255), st.integers(0, 8), st.binary(max_size=12))
    @settings(max_examples=400)
    def extracts(at: int, change: int, drop: int, put: bytes) -> None:
        for altered in (sample[:at] + bytes((sample[at] ^ change,)) + sample[at + 1 :],
                        sample[:at] + put + sample[at + drop :]):  # fmt: skip
            try:
                found = form.extract(BytesSource(altered))
                written = b"".join(form.attach(BytesSource(altered), make(form, altered, key)))
            except Invalid:
                continue
            assert form.extract(BytesSource(written)) == found
            assert len(found) <= form.detail_limit

    extracts()


@given(st.binary(max_size=400))
def test_any_bytes_behind_a_right_beginning_are_a_package_or_refused(data):
    for form, start, rule in ((DEB, deb_file()[:90], DebMalformed), (RPM, rpm_file()[:104], RpmMalformed)):
        with contextlib.suppress(rule, FileTooShort):
            form.extract(BytesSource(start + data))
