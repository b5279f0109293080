"""minisign and signify take what the service makes, with the public keys that `hsmpub key show` prints."""

from __future__ import annotations

import base64
import hashlib
import sys

import pytest
from foreign_tool import accepts, needs, run
from software_hsm import CONTEXT, artifact_of, key_record, make, pem_of, private_key, sign_raw

from hsmpub.cli.main import run as run_command
from hsmpub.client.public_key import FormUnfit, public_form
from hsmpub.formats.detail import DetailMalformed
from hsmpub.formats.format import Artifact
from hsmpub.formats.minisign_read import MinisignForAnother
from hsmpub.formats.public_key import SignatureDoesNotVerify
from hsmpub.formats.registry import FORMATS
from hsmpub.formats.sha256state import Sha256State
from hsmpub.formats.source import BytesSource
from hsmpub.formats.whole import MOST_BYTES, FileTooLargeToSignWhole
from hsmpub.model.trust import Trust, dump_trust

DATA = b"A release.\r\n" * 9000
MINISIGN, SIGNIFY = FORMATS["minisign"], FORMATS["signify"]


def checksums(folder, *names: str) -> bytes:
    """As `sha256sum --tag` and OpenBSD's sha256 write them."""
    return b"".join(
        f"SHA256 ({name}) = {hashlib.sha256((folder / name).read_bytes()).hexdigest()}\n".encode() for name in names
    )


def test_minisign_verifies_file_and_trusted_comment(tmp_path, proof):
    needs("minisign")
    key = key_record("ed25519", "minisign")
    (tmp_path / "x.whl").write_bytes(DATA)
    (tmp_path / "other").write_bytes(DATA + b"\n")
    (tmp_path / "key.pub").write_text(public_form(key, "minisign"))
    output = make(MINISIGN, DATA, key)
    (tmp_path / "x.whl.minisig").write_bytes(output)
    (tmp_path / "y.minisig").write_bytes(output.replace(b"file:x.whl", b"file:y.whl"))
    verdict = run("minisign", "-V", "-H", "-p", "key.pub", "-m", "x.whl", cwd=tmp_path)
    assert verdict.returncode == 0, verdict.stderr
    assert f"timestamp:{CONTEXT.at}\tfile:x.whl\thashed".encode() in verdict.stdout
    tampered = accepts("minisign", "-V", "-p", "key.pub", "-x", "x.whl.minisig", "-m", "other", cwd=tmp_path)
    proof("minisign", "ed25519", "minisign -V", good=not verdict.returncode, tampered=tampered)
    assert not accepts("minisign", "-V", "-p", "key.pub", "-x", "y.minisig", "-m", "x.whl", cwd=tmp_path)


def test_signify_verifies_a_list_of_checksums_and_the_files_in_it(tmp_path, proof):
    needs("signify-openbsd")
    key = key_record("ed25519", "signify")
    (tmp_path / "x.whl").write_bytes(DATA)
    (tmp_path / "x.tar.gz").write_bytes(DATA[:-1])
    listed = checksums(tmp_path, "x.whl", "x.tar.gz")
    (tmp_path / "SHA256").write_bytes(listed)
    (tmp_path / "key.pub").write_text(public_form(key, "signify"))
    output = make(SIGNIFY, listed, key, name="SHA256")
    (tmp_path / "SHA256.signify").write_bytes(output)
    verify = ["signify-openbsd", "-V", "-q", "-p", "key.pub", "-x", "SHA256.signify", "-m"]
    good, tampered = (accepts(*verify, name, cwd=tmp_path) for name in ("SHA256", "x.whl"))
    proof("signify", "ed25519", "signify-openbsd -V", good=good, tampered=tampered, on="a list of checksums")
    (tmp_path / "both").write_bytes(output + listed)
    listed_files = ["signify-openbsd", "-C", "-q", "-p", "key.pub", "-x", "both"]
    good = accepts(*listed_files, cwd=tmp_path)
    (tmp_path / "x.whl").write_bytes(DATA + b"\n")
    tampered = accepts(*listed_files, cwd=tmp_path)
    proof("signify", "ed25519", "signify-openbsd -C", good=good, tampered=tampered, on="a list of checksums")


def test_a_trusted_comment_of_another_signature_is_refused():
    """What the second signature is for: comments do not move from one file to another."""
    key = key_record("ed25519", "minisign")
    one, other = (make(MINISIGN, data, key).split(b"\n") for data in (DATA, b"other"))
    mixed = b"\n".join([*one[:2], *other[2:]])
    with pytest.raises(SignatureDoesNotVerify):
        MINISIGN.check(mixed, artifact_of(DATA, format_=MINISIGN), key)


def test_a_chosen_hash_makes_no_trusted_comment():
    """The first signature is over exactly 64 bytes, the second over more: neither is ever the other."""
    key = key_record("ed25519", "minisign")
    first = MINISIGN.prepare(artifact_of(DATA, format_=MINISIGN), key, CONTEXT)
    second = MINISIGN.follow(first, sign_raw(first))
    assert len(first.payload) == 64 < len(second.payload)
    assert MINISIGN.follow(second, sign_raw(second)) is None


def test_the_comment_s_file_and_time_are_those_that_were_asked_for():
    key = key_record("ed25519", "minisign")
    output = make(MINISIGN, DATA, key)
    with pytest.raises(MinisignForAnother):
        MINISIGN.check(output, artifact_of(DATA, "y.whl", MINISIGN), key)


def test_details_that_do_not_fit_the_file_are_refused():
    for form, detail in ((MINISIGN, b"x" * 63), (SIGNIFY, b"y")):
        of_another = Artifact("x", Sha256State.of(b"x"), {form.name: detail})
        with pytest.raises(DetailMalformed):
            form.prepare(of_another, key_record("ed25519", form.name), CONTEXT)
    with pytest.raises(FileTooLargeToSignWhole):
        SIGNIFY.extract(BytesSource(bytes(MOST_BYTES + 1)))


def test_a_public_key_is_shown_only_for_what_the_key_makes():
    key = key_record("ed25519", "minisign")
    [_, line] = public_form(key, "minisign").splitlines()
    assert base64.b64decode(line)[10:] == private_key("ed25519", 0).public_key().public_bytes_raw()
    assert public_form(key, "pem") == pem_of("ed25519")
    for form in ("signify", "ssh", "openpgp"):
        with pytest.raises(FormUnfit):
            public_form(key, form)
    assert public_form(key_record("p256", "sshsig"), "ssh").startswith("ecdsa-sha2-nistp256 AAAA")


def test_openssl_verifies_a_bare_ed25519_signature_for_its_file_only(tmp_path, proof):
    needs("openssl")
    (tmp_path / "x").write_bytes(DATA[:100])
    (tmp_path / "other").write_bytes(DATA[:101])
    (tmp_path / "key.pem").write_text(pem_of("ed25519"))
    key = key_record("ed25519", "ed25519-signature")
    (tmp_path / "x.sig").write_bytes(make(FORMATS["ed25519-signature"], DATA[:100], key))
    verify = ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", "key.pem", "-sigfile", "x.sig", "-in"]
    good, tampered = (accepts(*verify, name, cwd=tmp_path) for name in ("x", "other"))
    proof("ed25519-signature", "ed25519", "openssl pkeyutl -verify -rawin", good=good, tampered=tampered)


def test_the_command_prints_a_public_key_out_of_the_pins(tmp_path, monkeypatch, capsys):
    pins = Trust("service", "log-key", "00" * 32, (key_record("ed25519", "minisign"),))
    (tmp_path / "trust.json").write_bytes(dump_trust(pins))
    for name, form, status in (("ed25519-0", "minisign", 0), ("ed25519-0", "openpgp", 1), ("another", "pem", 1)):
        words = ["hsmpub", "key", "show", name, "--form", form, "--trust", str(tmp_path / "trust.json")]
        monkeypatch.setattr(sys, "argv", words)
        with pytest.raises(SystemExit) as ended:
            run_command()
        assert ended.value.code in ((0, None) if status == 0 else (1,))
        assert capsys.readouterr().out == (public_form(pins.keys[0], "minisign") if status == 0 else "")
