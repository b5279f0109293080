"""A holder with gpg: a key ring in a folder of its own."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Gpg:
    """gpg with its own home."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environment = {"PATH": os.environ["PATH"], "GNUPGHOME": str(home), "LC_ALL": "C"}

    def run(self, *arguments: str, stdin: bytes = b"") -> bytes:
        command = ["gpg", "--batch", "--no-tty", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""]
        ran = subprocess.run(
            [*command, *arguments], input=stdin, env=self.environment, capture_output=True, check=False
        )
        assert ran.returncode == 0, ran.stderr.decode()
        return ran.stdout

    def make_key(self, name: str, primary: str, subkey: str) -> str:
        """An armoured certificate of a new key."""
        self.run("--quick-generate-key", f"{name} <{name}@example.org>", primary, "cert,sign", "never")
        self.run("--quick-add-key", self.fingerprint(name), subkey, "encr", "never")
        return self.certificate(name)

    def fingerprint(self, name: str) -> str:
        listed = self.run("--list-keys", "--with-colons", name).decode()
        return next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr:"))

    def certificate(self, name: str) -> str:
        return self.run("--export", "--armor", name).decode()

    def decrypt(self, message: bytes) -> bytes:
        return self.run("--decrypt", stdin=message)


@contextmanager
def gpg_ring() -> Iterator[Gpg]:
    """A short path, for the agent's socket; the agent ends with it."""
    with tempfile.TemporaryDirectory(prefix="gpg-") as folder:
        gpg = Gpg(Path(folder))
        gpg.home.chmod(0o700)
        try:
            yield gpg
        finally:
            subprocess.run(["gpgconf", "--kill", "all"], env=gpg.environment, check=False)
