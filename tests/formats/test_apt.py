"""apt takes repositories signed here, by InRelease and by Release.gpg; gpg takes the same; neither takes others."""

from __future__ import annotations

import shutil
import tempfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from foreign_tool import needs, run
from hypothesis import given
from hypothesis import strategies as st
from openpgp_keys import certificate_of
from samples import RELEASE
from software_hsm import CONTEXT, artifact_of, key_record, make, sign_raw

from hsmpub.cli.own_outputs import part_outputs
from hsmpub.client.choosing import choose_formats
from hsmpub.client.embedding import write_signed
from hsmpub.errors import Invalid
from hsmpub.formats.detail import DetailMalformed
from hsmpub.formats.format import Artifact
from hsmpub.formats.linux.apt import ReleaseFileUnfit
from hsmpub.formats.openpgp.parse import OpenpgpMalformed
from hsmpub.formats.openpgp.text import MAX_TEXT_BYTES, TextUnfit, canonical, framed, read_text
from hsmpub.formats.registry import FORMATS
from hsmpub.formats.sha256state import Sha256State
from hsmpub.formats.source import BytesSource

INRELEASE, GPG = FORMATS["apt-inrelease"], FORMATS["apt-release-gpg"]
both_kinds = pytest.mark.parametrize("kind", ["p256", "rsa3072"])


def key_of(kind, number=0):
    return key_record(kind, INRELEASE.name, GPG.name, number=number)


def inrelease(data: bytes, kind, number=0) -> bytes:
    return b"".join(INRELEASE.attach(BytesSource(data), make(INRELEASE, data, key_of(kind, number), number)))


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """A flat repository with one real package; served on loopback. Tests put the signed files beside Release."""
    for program in ("apt-get", "apt-ftparchive", "dpkg-deb"):
        needs(program)
    root = tmp_path_factory.mktemp("repository")
    control = root / "build" / "DEBIAN" / "control"
    control.parent.mkdir(parents=True)
    control.write_text("Package: thing\nVersion: 1.0\nArchitecture: all\nMaintainer: Acme <a@acme.example>\n"
                       "Description: a thing\n")  # fmt: skip
    served = root / "served"
    served.mkdir()
    assert run("dpkg-deb", "--root-owner-group", "-b", root / "build", served / "thing_1.0_all.deb").returncode == 0
    (served / "Packages").write_bytes(run("apt-ftparchive", "packages", ".", cwd=served).stdout)
    (served / "Release").write_bytes(run("apt-ftparchive", "release", ".", cwd=served).stdout)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(served)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield served, f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    thread.join()
    server.server_close()


class Apt:
    """apt with a world of its own below a folder: no file of the machine is read or written."""

    def __init__(self, folder: Path, url: str, kind) -> None:
        self.folder = folder
        for place in ("etc/apt.conf.d", "etc/preferences.d", "etc/trusted.gpg.d", "etc/sources.list.d", "cache",
                      "state/lists/partial", "log", "dpkg"):  # fmt: skip
            (folder / place).mkdir(parents=True)
        (folder / "dpkg" / "status").touch()
        (folder / "key.asc").write_text(certificate_of(kind))
        (folder / "etc" / "sources.list").write_text(f"deb [signed-by={folder}/key.asc] {url} ./\n")
        places = {"Dir::Etc": "etc", "Dir::State": "state", "Dir::State::status": "dpkg/status", "Dir::Cache": "cache",
                  "Dir::Log": "log"}  # fmt: skip
        lines = [f'{name} "{folder}/{place}";' for name, place in places.items()]
        (folder / "apt.conf").write_text("\n".join(lines) + '\nAPT::Sandbox::User "";\nAcquire::Languages "none";\n'
                                         'Acquire::http::Proxy "DIRECT";\nAcquire::Retries "0";\n')  # fmt: skip

    def run(self, *words: str):
        return run(*words, env={"APT_CONFIG": str(self.folder / "apt.conf")}, cwd=self.folder)

    def update(self) -> tuple[bool, str]:
        """Whether apt believes the repository, and what it says."""
        done = self.run("apt-get", "update", "--error-on=any")
        return done.returncode == 0, (done.stdout + done.stderr).decode()


def publish(served: Path, files: dict[str, bytes]) -> None:
    for name in ("InRelease", "Release.gpg"):
        (served / name).unlink(missing_ok=True)
    for name, content in files.items():
        (served / name).write_bytes(content)


@both_kinds
@pytest.mark.parametrize("form", ["InRelease", "Release.gpg"])
def test_apt_believes_a_repository_signed_here_and_no_altered_one(repository, tmp_path, kind, form, proof):
    served, url = repository
    release = (served / "Release").read_bytes()
    signed = inrelease(release, kind) if form == "InRelease" else make(GPG, release, key_of(kind))
    other = inrelease(release, kind, 1) if form == "InRelease" else make(GPG, release, key_of(kind, 1), 1)
    publish(served, {form: signed})
    good, said = Apt(tmp_path / "good", url, kind).update()
    assert good, said
    policy = Apt(tmp_path / "fresh", url, kind)
    policy.update()
    assert b"Candidate: 1.0" in policy.run("apt-cache", "policy", "thing").stdout
    publish(served, {form: other})
    believed, said = Apt(tmp_path / "other", url, kind).update()
    assert not believed, said
    assert "NO_PUBKEY" in said or "Missing key" in said  # as gpgv says it, and as sqv does, which newer apt asks
    try:
        changed = release.replace(b"SHA256:\n ", b"SHA256:\n 0", 1)
        if form == "InRelease":
            publish(served, {form: signed.replace(b"SHA256:\n ", b"SHA256:\n 0", 1)})
        else:
            (served / "Release").write_bytes(changed)
            publish(served, {form: signed})
        taken, said = Apt(tmp_path / "altered", url, kind).update()
    finally:
        (served / "Release").write_bytes(release)
    assert "BADSIG" in said or "Message has been manipulated" in said
    name = {"InRelease": "apt-inrelease", "Release.gpg": "apt-release-gpg"}[form]
    proof(name, kind, "apt-get update", good=good, tampered=taken, on="apt-ftparchive's repository")


@pytest.fixture(scope="module")
def gnupg():
    needs("gpg")
    home = Path(tempfile.mkdtemp(prefix="pgp"))
    home.chmod(0o700)
    for kind in ("p256", "rsa3072"):
        run("gpg", "--batch", "--homedir", home, "--import", stdin=certificate_of(kind).encode())
    yield home
    shutil.rmtree(home, ignore_errors=True)  # its agent may take its sockets away meanwhile


def gpg_says(home: Path, *files: Path) -> str:
    return run("gpg", "--batch", "--homedir", home, "--status-fd", "1", "--verify", *files).stdout.decode()


@both_kinds
@pytest.mark.parametrize(
    "text",
    [RELEASE, RELEASE + b"\n\n", RELEASE[:-1], RELEASE.replace(b"Acme", b"Acme  \t "), RELEASE + b" - x\n",
     RELEASE.replace(b"Acme", "Åcme".encode())],
    ids=["plain", "blank-lines", "no-end-of-line", "blanks-at-line-ends", "dashes", "utf-8"],
)  # fmt: skip
def test_gpg_takes_the_text_in_any_shape_and_no_other_text(gnupg, tmp_path, kind, text, proof):
    form = FORMATS["openpgp-cleartext"]
    signed = b"".join(form.attach(BytesSource(text), make(form, text, key_record(kind, form.name))))
    (tmp_path / "InRelease").write_bytes(signed)
    good = "VALIDSIG" in gpg_says(gnupg, tmp_path / "InRelease")
    (tmp_path / "InRelease").write_bytes(signed.replace(b"main", b"mian"))
    said = gpg_says(gnupg, tmp_path / "InRelease")
    assert "BADSIG" in said
    proof(form.name, kind, "gpg --verify", good=good, tampered="VALIDSIG" in said)


@given(st.lists(st.text(st.characters(codec="ascii", exclude_characters="\x7f", min_codepoint=32) | st.just("\t")
                        | st.sampled_from("-- é"), max_size=30), min_size=1, max_size=12))  # fmt: skip
def test_any_text_comes_out_of_its_frame_as_it_went_in_but_for_its_last_line_s_end(lines):
    text = "\n".join(lines).encode() + b"\n"
    if not text.strip():
        return
    signature = b"-----BEGIN PGP SIGNATURE-----\n\nx\n-----END PGP SIGNATURE-----\n"
    for version, other in ((4, 6), (6, 4)):
        whole = BytesSource(framed(text, signature, version))
        assert read_text(whole, version) == (text, signature)
        assert read_text(whole, other) == (text, None)
        ended = BytesSource(framed(text.removesuffix(b"\n"), signature, version))
        assert read_text(ended, version) == (text, signature) or not lines[-1]


def test_ends_of_lines_are_hashed_as_everybody_hashes_them():
    assert canonical(b"a \t\nb\n") == b"a\r\nb" == canonical(b"a\nb")


@pytest.mark.parametrize(
    "data",
    [b"", b"\n", b"a\r\nb\n", b"a\0b\n", b"\xff\n", b"x" * 16_001, b"-----BEGIN PGP SIGNED MESSAGE-----\n",
     b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA1\n\nx\n-----BEGIN PGP SIGNATURE-----\n",
     b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n-x\n-----BEGIN PGP SIGNATURE-----\n",
     b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nx\n"],
)  # fmt: skip
def test_what_cannot_carry_a_signature_is_refused(data):
    with pytest.raises(TextUnfit):
        INRELEASE.extract(BytesSource(data))


def test_an_enormous_text_is_refused_before_it_is_read():
    class Enormous:
        size = MAX_TEXT_BYTES + 1

        def read(self, offset, length):
            raise AssertionError("it was read")

    with pytest.raises(TextUnfit):
        INRELEASE.extract(Enormous())


@pytest.mark.parametrize("data", [b"hello\n", b"Suite: x\n", b"Suite: x\nno field\nSHA256:\n", b"MD5Sum:\n a b\n"])
def test_what_is_no_release_file_is_refused(data):
    with pytest.raises(ReleaseFileUnfit):
        INRELEASE.extract(BytesSource(data))


@given(st.binary(max_size=300))
def test_any_bytes_are_a_release_file_or_refused(data):
    for head in (b"", b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n", b"Suite: x\nSHA256:\n "):
        try:
            INRELEASE.extract(BytesSource(head + data))
        except Invalid:
            continue


@given(st.binary(max_size=130))
def test_any_detail_is_a_hash_state_or_refused(data):
    artifact = Artifact("Release", Sha256State.of(b""), {INRELEASE.name: data[:103]})
    try:
        INRELEASE.prepare(artifact, key_of("p256"), CONTEXT)
    except DetailMalformed:
        return
    assert len(data[:103]) >= 40


def test_a_signature_over_a_text_is_none_over_a_binary_document_and_the_other_way_round():
    key = key_of("p256")
    text = artifact_of(RELEASE, "Release", INRELEASE)
    over_text = INRELEASE.prepare(text, key, CONTEXT)
    with pytest.raises(OpenpgpMalformed):
        GPG.check(INRELEASE.assemble(over_text, sign_raw(over_text)), text, key)
    over_file = GPG.prepare(text, key, CONTEXT)
    with pytest.raises(OpenpgpMalformed):
        INRELEASE.check(GPG.assemble(over_file, sign_raw(over_file)), text, key)


def test_a_release_file_is_known_by_its_name_and_stays_as_it_is_beside_its_signed_form(tmp_path):
    release, key = tmp_path / "Release", key_of("p256")
    release.write_bytes(RELEASE)
    assert choose_formats(release, ()) == (INRELEASE.name, GPG.name)
    written = write_signed(release, tmp_path, Sha256State.of(RELEASE), make(INRELEASE, RELEASE, key), INRELEASE, key)
    assert written == tmp_path / "InRelease"
    assert release.read_bytes() == RELEASE
    assert choose_formats(written, ()) == (INRELEASE.name,)
    assert part_outputs([release, written, tmp_path / "Release.gpg"]) == (
        [release],
        [written, tmp_path / "Release.gpg"],
    )
    assert part_outputs([written]) == ([written], [])
