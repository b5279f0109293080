"""git signs commits and tags with the service through hsmpub-gpg, and gpg itself verifies them."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.demo.world import World
from hsmpub.formats.openpgp.certificate import openpgp_fingerprint
from hsmpub.model.trust import load_trust
from tests.service.jobs import NIGHTLY

ROOT = Path(__file__).parents[2]


class Repository:
    """A repository, a home of gpg that has the service's certificates, and hsmpub-gpg between them."""

    def __init__(self, folder: Path, world: World) -> None:
        self.folder = folder
        self.trust = load_trust(world.trust.read_bytes())
        program = folder / "hsmpub-gpg"
        program.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -c '
                           '"from hsmpub.cli.gpg import run; run()" "$@"\n')  # fmt: skip
        program.chmod(0o755)
        (folder / "receipts").mkdir()
        (folder / "gnupg").mkdir(mode=0o700)
        assert world.service is not None
        settings = {"HSMPUB_URL": world.service.url, "HSMPUB_TRUST": str(world.trust), "HSMPUB_PROJECT": "nightly",
                    "HSMPUB_GPG_RECEIPTS": str(folder / "receipts")}  # fmt: skip
        self.env = {"PATH": os.environ["PATH"], "HOME": str(folder), "GNUPGHOME": str(folder / "gnupg"),
                    "GIT_CONFIG_NOSYSTEM": "1", **settings, **world.ci(**NIGHTLY)}  # fmt: skip
        for key in self.trust.keys:
            if key.openpgp:
                subprocess.run(["gpg", "--batch", "--import"], input=key.openpgp.encode(), env=self.env, check=True,
                               capture_output=True)  # fmt: skip
        self.git("init", "-q")
        for name, value in (("user.name", "Acme CI"), ("user.email", "ci@acme.example"), ("gpg.program", program)):
            self.git("config", name, value)

    def run(self, *words: object, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run([str(word) for word in words], cwd=self.folder, env=self.env, input=stdin,
                              capture_output=True, check=False, timeout=60)  # fmt: skip

    def git(self, *words: object) -> str:
        done = self.run("git", *words)
        assert done.returncode == 0, done.stderr.decode()
        return (done.stdout + done.stderr).decode()

    def fingerprint(self, name: str) -> str:
        [key] = [key for key in self.trust.keys if key.name == name]
        return openpgp_fingerprint(key)


@pytest.fixture(scope="module")
def repository(service: World) -> Iterator[Repository]:
    with tempfile.TemporaryDirectory(prefix="pgp", ignore_cleanup_errors=True) as folder:
        made = Repository(Path(folder), service)
        yield made
        subprocess.run(["gpgconf", "--kill", "all"], env=made.env, check=False)


def test_git_commits_and_tags_are_signed_by_the_service_and_verified_by_gpg(repository: Repository) -> None:
    fingerprint = repository.fingerprint("routine")
    repository.git("config", "user.signingkey", fingerprint)
    repository.git("commit", "-q", "-S", "--allow-empty", "-m", "signed")
    assert f"VALIDSIG {fingerprint}" in repository.git("verify-commit", "--raw", "HEAD")
    repository.git("tag", "-s", "v1", "-m", "one")
    assert f"VALIDSIG {fingerprint}" in repository.git("verify-tag", "--raw", "v1")
    repository.git("fsck", "--strict")
    assert len(list((repository.folder / "receipts").glob("*.receipt.json"))) == 2


def test_an_altered_commit_does_not_verify(repository: Repository) -> None:
    repository.git("config", "user.signingkey", "routine")
    repository.git("commit", "-q", "-S", "--allow-empty", "-m", "genuine")
    content = repository.run("git", "cat-file", "commit", "HEAD").stdout.replace(b"\ngenuine", b"\nforged")
    forged = (
        repository.run("git", "hash-object", "-t", "commit", "-w", "--stdin", stdin=content).stdout.decode().strip()
    )
    refused = repository.run("git", "verify-commit", "--raw", forged)
    assert refused.returncode != 0
    assert b"BADSIG" in refused.stderr


def test_git_makes_no_commit_where_the_service_or_the_key_refuses(repository: Repository) -> None:
    for key, said in (("0" * 40, b"has no OpenPGP key"), (repository.fingerprint("release-openpgp"), b"Next: ")):
        before = repository.run("git", "rev-list", "--all", "--count").stdout
        refused = repository.run("git", "commit", f"-S{key}", "--allow-empty", "-m", "x")
        assert refused.returncode != 0
        assert said in repository.run(repository.folder / "hsmpub-gpg", "--status-fd=2", "-bsau", key).stderr
        assert repository.run("git", "rev-list", "--all", "--count").stdout == before
