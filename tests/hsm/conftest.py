"""A SoftHSM token with one key of each kind, made once for each test process and copied for tests that harm it."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import uvloop
from faulty import Faults, compile_module, with_module

from hsmpub.hsm.birth import bear_keys
from hsmpub.hsm.config import BornKey, HsmConfig, KeySpec
from hsmpub.hsm.custody import import_keys
from hsmpub.hsm.pool import Signers
from hsmpub.hsm.softhsm import softhsm_conf_text
from hsmpub.hsm.token import init_token, new_pin
from hsmpub.model.key import KeyRecord
from hsmpub.secret.page import SecretPage

PLACES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
)
SPECS = (
    KeySpec("release", "p256"),
    KeySpec("release-openpgp", "rsa3072"),
    KeySpec("log", "ed25519"),
    KeySpec("sealing", "aes256"),
    KeySpec("backup", "rsa3072-decrypt"),
)


@dataclass(frozen=True)
class Token:
    home: Path
    hsm: HsmConfig
    so_pin: bytes
    pin: bytes
    wrapping_key: bytes
    born: tuple[BornKey, ...]

    @property
    def tokens(self) -> Path:
        return self.home / "tokens"

    @property
    def keys(self) -> list[KeyRecord]:
        return [KeyRecord(one.name, one.kind, one.public_pem, 0) for one in self.born]

    def page(self, pin: bytes | None = None) -> SecretPage:
        page = SecretPage()
        page.take(bytearray(self.pin if pin is None else pin))
        return page

    def script(self, code: str) -> str:
        """Runs Python with the module's configuration, `pkcs11` imported and `open_token()` at hand; returns what it
        prints. A process of its own: the module keeps one configuration for a process."""
        head = (
            "import sys, pkcs11\n"
            "from pkcs11 import *\n"
            f"def open_token(**k): return pkcs11.lib({self.hsm.module!r}).get_token(token_label={self.hsm.token!r})"
            f".open(user_pin={self.pin.decode()!r}, **k)\n"
            "def find(session, label, kind): return list(session.get_objects("
            "{Attribute.LABEL: label, Attribute.CLASS: kind}))[0]\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", head + code],
            env={**os.environ, "SOFTHSM2_CONF": self.hsm.softhsm_conf},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout


def hsm_at(home: Path, module: str) -> HsmConfig:
    (home / "softhsm2.conf").write_text(softhsm_conf_text(home / "tokens"))
    return HsmConfig(module, "production", str(home / "softhsm2.conf"), str(home / "lock"))


@pytest.fixture(scope="session")
def module() -> str:
    found = [place for place in (os.environ.get("SOFTHSM2_MODULE", ""), *PLACES) if place and Path(place).exists()]
    assert found, "SoftHSM is not installed: 'apt install softhsm2'"
    return found[0]


@pytest.fixture
def hsm(tmp_path: Path, module: str) -> HsmConfig:
    """SoftHSM without a token."""
    (tmp_path / "tokens").mkdir()
    return hsm_at(tmp_path, module)


@pytest.fixture(scope="session")
def token(tmp_path_factory: pytest.TempPathFactory, module: str) -> Token:
    """Shared by the tests of this process: they only sign with it."""
    home = tmp_path_factory.mktemp("token")
    (home / "tokens").mkdir()
    hsm = hsm_at(home, module)
    so_pin, pin, wrapping_key = new_pin(), new_pin(), bytearray(os.urandom(32))
    init_token(hsm, so_pin=so_pin, pin=pin)
    born = bear_keys(module, SPECS, wrapping_key)
    import_keys(hsm, pin, born, wrapping_key)
    return Token(home, hsm, bytes(so_pin), bytes(pin), bytes(wrapping_key), tuple(born))


@pytest.fixture
def own_token(token: Token, tmp_path: Path) -> Token:
    """A copy that a test may harm."""
    shutil.copytree(token.tokens, tmp_path / "tokens")
    return replace(token, home=tmp_path, hsm=hsm_at(tmp_path, token.hsm.module))


@pytest.fixture(scope="session")
def failing_module(tmp_path_factory: pytest.TempPathFactory, module: str) -> str:
    return compile_module(tmp_path_factory.mktemp("faults"), module)


@pytest.fixture
def faulty(own_token: Token, failing_module: str) -> Token:
    """`own_token` behind a module that fails as `faults` says."""
    return with_module(own_token, failing_module)


@pytest.fixture
def faults(faulty: Token) -> Faults:
    return Faults(faulty.tokens)


Body = Callable[[Signers], Awaitable[None]]


@dataclass
class Pools:
    """Runs a body with a pool of signers on an event loop of its own. alarms: what the pool called out."""

    alarms: list[str]

    def run(
        self, token: Token, body: Body, *, workers: int = 2, keys: list[KeyRecord] | None = None,
        pin: bytes | None = None,
    ) -> None:  # fmt: skip
        async def main() -> None:
            pool = await Signers.start(
                token.hsm, token.keys if keys is None else keys, token.page(pin),
                workers=workers, on_alarm=self.alarms.append,
            )  # fmt: skip
            try:
                async with asyncio.timeout(60):
                    await body(pool)
            finally:
                pool.close()

        uvloop.run(main())  # as the keeper does; `keeper_like` uses the standard loop


@pytest.fixture
def pools() -> Iterator[Pools]:
    before = set(children())  # other tests of this process may keep servers of their own
    yield Pools([])
    assert not set(children()) - before, "processes are left behind"


def children() -> list[int]:
    """Processes that this one started and that are still there, zombies too."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(stat.rpartition(")")[2].split()[1]) == os.getpid():
                found.append(int(entry.name))
    return found
