"""A stage for ceremonies: people with keys of their own, and the files that a genesis takes."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pyrage

from ceremony.genesis import Genesis
from ceremony.plan import Plan, load_plan
from hsmpub.config import load_config
from hsmpub.home import Home
from hsmpub.hsm.config import HsmConfig
from hsmpub.secret.page import SecretPage
from hsmpub.shares.attempt import UnsealAttempt
from hsmpub.shares.holder import seal_share
from hsmpub.shares.identity import open_share_file
from hsmpub.shares.record_file import load_unseal_record

POLICY = """\
[administration.policy]
approvals = [{ group = "managers", count = 1 }]
[administration.roster]
approvals = [{ group = "managers", count = 1 }]
[administration.credential]
approvals = [{ group = "managers", count = 1 }]
"""
ROSTER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8584uNlA6sfm+64oF/pByZwBBlB9Qebi2w6gFk6eeQ"
ROSTER = f"""\
[person.release-manager]
groups = ["managers"]
keys = ["{ROSTER_KEY}"]
"""


@dataclass(frozen=True)
class Stage:
    """folder: with ceremony.toml; identities: private key of each holder and recovery holder, by name."""

    folder: Path
    identities: dict[str, bytes]

    @property
    def file(self) -> Path:
        return self.folder / "ceremony.toml"

    def plan(self) -> Plan:
        return load_plan(self.file)

    def words(self, share: Path) -> bytearray:
        return open_share_file(share.read_bytes(), self.identities[share.stem]).strip()

    def key_file(self, name: str) -> Path:
        path = self.folder / f"{name}.identity"
        path.write_bytes(self.identities[name])
        return path


@dataclass(frozen=True)
class Born:
    """A finished genesis."""

    stage: Stage
    done: Genesis
    seen: list[str]

    @property
    def home(self) -> Home:
        return Home(self.done.home)


def make_stage(folder: Path) -> Stage:
    """Three of five holders (two with SSH keys), two of three recovery holders."""
    identities: dict[str, bytes] = {}
    public: dict[str, str] = {}
    for name in [f"holder-{n}" for n in (1, 2, 3)] + [f"recovery-{n}" for n in (1, 2, 3)]:
        key = pyrage.x25519.Identity.generate()
        identities[name], public[name] = str(key).encode(), str(key.to_public())
    for name in ("holder-4", "holder-5"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
        identities[name] = (folder / name).read_bytes()
        public[name] = (folder / f"{name}.pub").read_text().strip()

    def holders(prefix: str) -> str:
        rows = [f'  {{ name = "{name}", key = "{public[name]}" }},' for name in sorted(public) if prefix in name]
        return "\n".join(["[", *rows, "]"])

    (folder / "policy.toml").write_text(POLICY)
    (folder / "roster.toml").write_text(ROSTER)
    (folder / "ceremony.toml").write_text(
        f"""\
[service]
name = "releases"
openpgp_user_id = "Example Releases <releases@example.org>"
[unseal]
threshold = 3
holders = {holders("holder-")}
[recovery]
threshold = 2
holders = {holders("recovery-")}
[log]
origin = "log.example.org/releases"
[files]
policy = "policy.toml"
roster = "roster.toml"
"""
    )
    return Stage(folder, identities)


def hsm_of(home: Home) -> HsmConfig:
    """As the keeper makes it."""
    config = load_config(home).hsm
    return HsmConfig(config.module, config.token, softhsm_conf=str(home.softhsm_conf), lock=str(home.hsm_lock))


def unseal(stage: Stage, home: Home, shares: Path, names: tuple[str, ...], page: SecretPage) -> None:
    """The keeper's side and the holders' side of an unseal, with the shares of that folder."""
    record = load_unseal_record(home.unseal_record.read_bytes())

    async def attempt() -> None:
        gathering = await UnsealAttempt.start(record, now=int(time.time()), lifetime=60)
        try:
            for name in names:
                words = stage.words(shares / f"{name}.age")
                await gathering.hand_in(name, seal_share(words, gathering.attempt, gathering.key, name))
            await gathering.take_pin(page)
        finally:
            await gathering.close()

    asyncio.run(attempt())


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-c", "from ceremony.cli import run; run()", *map(str, arguments)]


def run_command(*arguments: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command(*arguments), input=stdin, capture_output=True, check=False)


def tree(root: Path) -> dict[str, bytes]:
    """Content of every file below a folder."""
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}
