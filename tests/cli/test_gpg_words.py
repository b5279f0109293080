"""hsmpub-gpg understands what git, debsign and rpmsign say to gpg; the rest it refuses, or leaves to gpg."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1] / "formats"))

from openpgp_keys import USER_ID, certificate_of
from software_hsm import CONTEXT, key_record, sign_raw

from hsmpub.cli import gpg
from hsmpub.cli.gpg_words import Asked, GpgWordUnknown, asks_to_sign, parse
from hsmpub.client.gpg_key import KeyNotHere, find_key
from hsmpub.errors import HsmpubError
from hsmpub.formats.format import Artifact
from hsmpub.formats.openpgp.certificate import openpgp_fingerprint
from hsmpub.formats.registry import get_format
from hsmpub.model.key import KeyRecord
from hsmpub.model.trust import Trust

GIT = ["--status-fd=2", "-bsau", "KEY"]
RPMSIGN = ["--no-verbose", "--no-armor", "--no-secmem-warning", "-u", "KEY", "-sbo", "x.sig", "--digest-algo", "sha256",
           "x"]  # fmt: skip
DEBSIGN = ["--local-user", "KEY", "--clearsign", "--list-options", "no-show-policy-urls", "--armor", "--textmode",
           "--output", "x.asc", "x"]  # fmt: skip


def record() -> KeyRecord:
    key = key_record("p256", "openpgp", "openpgp-cleartext")
    return KeyRecord("routine", "p256", key.public, key.created_at, key.formats, certificate_of("p256"))


TRUST = Trust("service", "log", "", (record(),))
FINGERPRINT = openpgp_fingerprint(record())


def test_what_callers_say_is_understood():
    assert parse(GIT) == Asked("detached", "KEY", armor=True, status_fd=2)
    assert parse(RPMSIGN) == Asked("detached", "KEY", file="x", output="x.sig")
    assert parse(DEBSIGN) == Asked("cleartext", "KEY", armor=True, file="x", output="x.asc")
    assert parse(["-bsauKEY", "--", "-x"]) == Asked("detached", "KEY", armor=True, file="-x")


@pytest.mark.parametrize(
    "words",
    [["-s"], ["-sb", "--digest-algo", "SHA1"], ["-sb", "-z"], ["-sb", "--encrypt"], ["-sb", "a", "b"], ["-sbt"],
     ["-sb", "--clearsign"], ["-sb", "--status-fd", "x"], ["-sb", "--status-fd=-5"], ["-sb", "--armor=1"],
     ["-sb", "--expert"], ["-sbr", "x"]],
)  # fmt: skip
def test_another_signature_than_is_made_here_is_refused(words):
    assert asks_to_sign(words)
    with pytest.raises(GpgWordUnknown):
        parse(words)


@pytest.mark.parametrize("words", [["--verify", "x"], ["--list-keys"], [], ["-e"], ["--verify", "-s"], ["-d", "x"]])
def test_what_is_no_signing_is_left_to_gpg(words):
    assert not asks_to_sign(words)


@given(st.lists(st.text(max_size=12) | st.sampled_from([*GIT, *RPMSIGN, *DEBSIGN, "--", "-"]), max_size=8))
def test_any_words_are_understood_or_refused(words):
    asks_to_sign(words)
    with contextlib.suppress(GpgWordUnknown):
        parse(words)


def test_a_key_is_found_by_what_names_it_and_not_by_less():
    numbers = (FINGERPRINT, FINGERPRINT.lower(), FINGERPRINT[-16:], f"0x{FINGERPRINT}", f"{FINGERPRINT}!")
    for named in (*numbers, "routine", USER_ID, "releases@acme.example", "CI <releases@acme.example>"):
        assert find_key(TRUST, named) == "routine"
    for named in (FINGERPRINT[-8:], "0" * 40, "acme", "@acme.example", "Acme releases", "<>"):
        with pytest.raises(KeyNotHere):
            find_key(TRUST, named)
    assert find_key(TRUST, "") == ""


def by_software(work, key) -> bytes:
    """What the service would give, without it."""
    [name] = work.formats
    form = get_format(name)
    artifact = Artifact(work.path.name, work.hash, work.details)
    prepared = form.prepare(artifact, record(), CONTEXT)
    return form.assemble(prepared, sign_raw(prepared))


class Stdin:
    def __init__(self, data: bytes) -> None:
        self.buffer = io.BytesIO(data)


@pytest.fixture
def home():
    with tempfile.TemporaryDirectory(prefix="pgp", ignore_cleanup_errors=True) as folder:
        command = ("gpg", "--batch", "--homedir", folder, "--import")
        subprocess.run(command, input=certificate_of("p256").encode(), check=True, capture_output=True)
        yield folder


def verifies(home: str, *files: Path) -> bool:
    command = ("gpg", "--batch", "--homedir", home, "--verify", *files)
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_a_text_signed_as_debsign_asks_verifies_and_an_altered_one_does_not(home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("x").write_bytes(b"Format: 3.0\n\n- a\nfrom b \n")
    gpg.answer(parse([word.replace("KEY", FINGERPRINT) for word in DEBSIGN]), TRUST, by_software)
    assert verifies(home, tmp_path / "x.asc")
    Path("x.asc").write_bytes(Path("x.asc").read_bytes().replace(b"Format: 3", b"Format: 4"))
    assert not verifies(home, tmp_path / "x.asc")


def test_a_file_signed_as_rpmsign_asks_verifies_and_is_overwritten_only_if_told(home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("x").write_bytes(bytes(3 << 20))
    words = [word.replace("KEY", FINGERPRINT) for word in RPMSIGN]
    gpg.answer(parse(words), TRUST, by_software)
    assert verifies(home, tmp_path / "x.sig", tmp_path / "x")
    with pytest.raises(HsmpubError, match="there already"):
        gpg.answer(parse(words), TRUST, by_software)
    gpg.answer(parse(["--yes", *words]), TRUST, by_software)


def test_status_lines_are_those_that_git_looks_for(monkeypatch, capfdbinary):
    monkeypatch.setattr(sys, "stdin", Stdin(b"tree x\n"))
    gpg.answer(parse(["--status-fd=2", "-bsau", FINGERPRINT]), TRUST, by_software)
    out, err = capfdbinary.readouterr()
    assert out.startswith(b"-----BEGIN PGP SIGNATURE-----\n")
    assert f"\n[GNUPG:] SIG_CREATED D 19 8 00 {CONTEXT.at} {FINGERPRINT}\n".encode() in err


def test_two_that_find_each_other_stop(monkeypatch, capsys):
    monkeypatch.setenv("HSMPUB_GPG_CALLED", "1")
    assert gpg.main(["--version"]) == 2
    assert "is hsmpub-gpg again" in capsys.readouterr().err


def test_the_rest_is_gpg_s_own_with_its_status(monkeypatch, tmp_path):
    program = tmp_path / "gpg"
    program.write_text("#!/bin/sh\ntest \"$1 $2\" = '--verify x' && exit 7\n")
    program.chmod(0o755)
    monkeypatch.setenv("HSMPUB_GPG", str(program))
    assert gpg.main(["--verify", "x"]) == 7
    monkeypatch.setenv("HSMPUB_GPG", str(tmp_path / "none"))
    assert gpg.main(["--verify", "x"]) == 2


def test_without_pins_or_a_project_it_says_what_is_missing(monkeypatch, capsys):
    for name in [name for name in os.environ if name.startswith("HSMPUB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(sys, "stdin", Stdin(b"x"))
    assert gpg.main(["-bsa"]) == 2
    assert "pins of the service are needed" in capsys.readouterr().err


@pytest.mark.parametrize(("status", "heard"), [("--status-fd=2", True), ("--status-fd=1", False)])
def test_git_users_hear_at_their_terminal_what_git_keeps_to_itself(status: str, heard: bool, tmp_path: Path) -> None:
    """`script` gives the command a terminal; git takes its standard error."""
    words = f"{sys.executable} -m tests.cli.as_gpg {status} -bsau KEY </dev/null 2>{tmp_path}/git"
    nowhere = {"HSMPUB_TRUST": str(tmp_path / "none.json"), "PATH": os.environ["PATH"]}
    project = Path(__file__).parents[2]
    done = subprocess.run(
        ["script", "-qec", words, "/dev/null"], env=nowhere, cwd=project, capture_output=True, check=False
    )
    assert done.returncode == 2
    kept = (tmp_path / "git").read_text()
    assert "hsmpub-gpg: " in kept
    assert (done.stdout.decode().replace("\r\n", "\n") == kept) is heard
