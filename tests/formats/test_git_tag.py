"""Signed tags, judged by git itself."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import msgspec
import pytest
from foreign_tool import accepts, needs, run
from hypothesis import given, settings
from hypothesis import strategies as st
from software_hsm import CREATED_AT, key_record, sign_raw

from hsmpub.errors import Invalid
from hsmpub.formats.format import OutputForAnother
from hsmpub.formats.git_tag import (
    GitTag,
    TagMalformed,
    assemble_tag,
    check_tag,
    prepare_tag,
    tag_object_id,
)
from hsmpub.formats.git_tag_read import TagDiffers, TagUnsigned
from hsmpub.formats.openpgp.certificate import assemble_certificate, prepare_certificate
from hsmpub.formats.purposes import FormatNotAllowed
from hsmpub.formats.ssh.sshsig import ssh_public_line

FORMS = [("p256", "openpgp"), ("rsa3072", "openpgp"), ("p256", "sshsig"), ("ed25519", "sshsig")]
every_form = pytest.mark.parametrize(("kind", "form"), FORMS)
TAG = GitTag("ab" * 20, "v1.4.0", "Acme releases", "releases@acme.example", CREATED_AT + 9, "Release 1.4.0\n\nGrüße\n")


def made(kind, form, tag=TAG, number=0) -> bytes:
    prepared = prepare_tag(tag, key_record(kind, form, number=number), form)
    return assemble_tag(prepared, sign_raw(prepared.prepared, number))


class Repository:
    """A bare-bones repository with one commit, a GnuPG home and allowed signers."""

    def __init__(self, folder: Path, object_format: str) -> None:
        self.folder = folder
        folder.chmod(0o700)
        (folder / "gnupg").mkdir(mode=0o700)
        signers = [f"releases@acme.example {ssh_public_line(key_record(kind))}\n" for kind in ("p256", "ed25519")]
        (folder / "signers").write_text("".join(signers))
        self.env = {
            "HOME": str(folder),
            "GNUPGHOME": str(folder / "gnupg"),
            "GIT_CONFIG_NOSYSTEM": "1",
            **{
                f"GIT_{role}_{what}": "x@acme.example" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
            },
        }
        self.git("init", "-q", f"--object-format={object_format}", "repo", cwd=folder)
        self.git("config", "gpg.ssh.allowedSignersFile", str(folder / "signers"))
        self.git("commit", "-q", "--allow-empty", "-m", "first")
        self.commit = self.git("rev-parse", "HEAD").stdout.decode().strip()
        for kind in ("p256", "rsa3072"):
            prepared = prepare_certificate(key_record(kind), "Acme <releases@acme.example>", at=CREATED_AT)
            armored = assemble_certificate(prepared, sign_raw(prepared))
            assert accepts("gpg", "--batch", "--import", stdin=armored.encode(), env=self.env)

    def git(self, *argv, cwd: Path | None = None, stdin: bytes = b""):
        done = run("git", *argv, cwd=cwd or self.folder / "repo", env=self.env, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done

    def accepts(self, *argv) -> bool:
        return accepts("git", *argv, cwd=self.folder / "repo", env=self.env)


@pytest.fixture(scope="module", params=["sha1", "sha256"])
def repository(request):
    needs("git")
    needs("gpg")
    needs("ssh-keygen")
    folder = Path(tempfile.mkdtemp(prefix="tag"))
    yield Repository(folder, request.param)
    shutil.rmtree(folder)


@every_form
def test_git_verifies_the_tag_and_fsck_finds_nothing(repository, kind, form):
    tag = msgspec.structs.replace(TAG, commit=repository.commit, name=f"v1/{kind}-{form}")
    content = made(kind, form, tag)
    check_tag(content, tag, key_record(kind))
    stored = repository.git("hash-object", "-t", "tag", "-w", "--stdin", stdin=content).stdout.decode().strip()
    assert stored == tag_object_id(content, sha256=len(repository.commit) == 64)
    repository.git("update-ref", f"refs/tags/{tag.name}", stored)
    repository.git("verify-tag", tag.name)
    repository.git("check-ref-format", f"refs/tags/{tag.name}")
    checked = repository.git("fsck", "--strict", "--full")
    assert b"warning" not in checked.stderr
    assert (
        repository.git("for-each-ref", "--format=%(contents:body)", f"refs/tags/{tag.name}")
        .stdout.decode()
        .startswith("Grüße")
    )


@every_form
def test_git_refuses_a_tampered_tag(repository, kind, form, proof):
    tag = msgspec.structs.replace(TAG, commit=repository.commit, name=f"bad-{kind}-{form}")
    content = made(kind, form, tag)
    taken = []
    for one in (content, content.replace(b"Release 1.4.0", b"Release 1.4.1")):
        stored = repository.git("hash-object", "-t", "tag", "-w", "--stdin", stdin=one).stdout.decode().strip()
        taken.append(repository.accepts("verify-tag", stored))
    proof("git tag", kind, "git verify-tag", good=taken[0], tampered=taken[1], on="git's repository")


@every_form
def test_own_check_refuses_any_altered_byte(kind, form):
    content, key = made(kind, form), key_record(kind)

    @given(st.integers(0, len(content) - 1), st.integers(1, 255))
    @settings(max_examples=150)
    def refuses(at: int, change: int) -> None:
        with pytest.raises(Invalid):
            check_tag(content[:at] + bytes((content[at] ^ change,)) + content[at + 1 :], TAG, key)

    refuses()


def test_own_check_refuses_another_tag_and_another_key():
    content, key = made("p256", "openpgp"), key_record("p256")
    for field, value in (("name", "v1.4.1"), ("commit", "cd" * 20), ("at", TAG.at + 1), ("message", "x"),
                         ("tagger", "Mallory"), ("email", "m@acme.example")):  # fmt: skip
        with pytest.raises(TagDiffers):
            check_tag(content, msgspec.structs.replace(TAG, **{field: value}), key)
    with pytest.raises(OutputForAnother):
        check_tag(content, TAG, key_record("p256", number=1))
    with pytest.raises(TagUnsigned):
        check_tag(content.partition(b"-----BEGIN")[0], TAG, key)


@given(st.binary(max_size=300))
def test_own_check_refuses_garbage_without_crashing(garbage):
    for content in (garbage, made("p256", "openpgp")[:230] + garbage):
        with pytest.raises(Invalid):
            check_tag(content, TAG, key_record("p256"))


HOSTILE = [
    *(("commit", value) for value in ("", "ab" * 19, "AB" * 20, "ab" * 20 + "\n", "g" * 40)),
    *(("name", value) for value in ("", "-v1", ".v1", "v1.", "v1/", "v..1", "v//1", "a/.b", "v1.lock", "a.lock/b",
                                    "v 1", "v~1", "v^1", "v:1", "v?1", "v[1", "v\\1", "v\n1", "v1\n", "v@{1",
                                    "refs/../x", "v" * 300)),
    *(("tagger", value) for value in ("", " x", "x ", "a<b", "a>b", "a\nb", "a\0b")),
    *(("email", value) for value in ("", "a b", "a>b", "a\n", "<a@b")),
    *(("at", value) for value in (0, -1, 2**32)),
    *(("message", value) for value in ("", " \n", "a\0b", "a\rb", "x\n-----BEGIN PGP SIGNATURE-----\n", "-----BEGIN x",
                                       "x" * 20_001)),
]  # fmt: skip


@pytest.mark.parametrize(("field", "value"), HOSTILE)
def test_refuses_a_field_that_git_refuses_or_shows_wrongly(field, value):
    with pytest.raises(TagMalformed):
        prepare_tag(msgspec.structs.replace(TAG, **{field: value}), key_record("p256", "openpgp"))


def test_refuses_a_key_without_the_purpose():
    for form, given_format in (("openpgp", "sshsig"), ("sshsig", "openpgp")):
        with pytest.raises(FormatNotAllowed):
            prepare_tag(TAG, key_record("p256", given_format), form)
