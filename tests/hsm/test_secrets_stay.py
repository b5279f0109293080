"""I3 for this package: no PIN and no credential in the memory, arguments or environment of keeper and signers.

The memory is read as a debugger of the superuser would. Where even that is denied the denial is the proof.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import select
import subprocess
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from hsmpub.sandbox import python_command
from hsmpub.secret.box import open_box, seal_box

if TYPE_CHECKING:
    from conftest import Token

HERE = Path(__file__).parent


class KeeperLike:
    def __init__(self, token: Token, *, exec_first: bool = False) -> None:
        self.process = subprocess.Popen(
            python_command("keeper_like"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        keys = [msgspec.to_builtins(key) for key in token.keys]
        if exec_first:
            self.say({"hsm": asdict(token.hsm), "exec": True})
        self.say({"hsm": asdict(token.hsm), "keys": keys, "pin_bytes": len(token.pin)})
        assert self.process.stdin is not None
        self.process.stdin.write(token.pin)
        self.report = self.hear()
        self.pids = [self.process.pid, *self.report["pids"]]

    def say(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message).encode() + b"\n")

    def hear(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        heard: dict[str, Any] = json.loads(self.process.stdout.readline())
        return heard

    def end(self) -> int:
        self.say({})
        with self.process:
            return self.process.wait(timeout=30)


@pytest.fixture
def keeper(token: Token) -> Iterator[KeeperLike]:
    started = KeeperLike(token)
    yield started
    if started.process.poll() is None:
        started.end()
    assert started.process.returncode == 0


def traces(pid: int, secret: bytes) -> int:
    """How often `secret` is in the readable memory of a process; 0 as well when memory may not be read at all."""
    try:
        with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
            return sum(count_in(memory, start, end, secret) for start, end in readable(pid))
    except PermissionError:
        return 0


def readable(pid: int) -> list[tuple[int, int]]:
    areas = Path(f"/proc/{pid}/maps").read_text().splitlines()
    found = [re.match(r"([0-9a-f]+)-([0-9a-f]+) r", area) for area in areas if "[v" not in area]
    return [(int(area[1], 16), int(area[2], 16)) for area in found if area]


def count_in(memory: io.FileIO, start: int, end: int, secret: bytes) -> int:
    data = b""
    memory.seek(start)
    while start + len(data) < end:
        try:
            more = memory.read(end - start - len(data))
        except OSError:
            break  # secret memory: not even the superuser reads it
        if not more:
            break
        data += more
    return data.count(secret)


def test_the_scan_finds_what_is_there() -> None:
    canary = os.urandom(20)
    assert traces(os.getpid(), canary) >= 1 or os.geteuid() != 0


def test_the_pin_is_in_no_memory_argument_or_environment(keeper: KeeperLike, token: Token) -> None:
    assert set(keeper.report["test"].values()) == {"ok"}
    for pid in keeper.pids:
        assert traces(pid, token.pin) == (0 if keeper.report["page"] == "memfd_secret" or pid != keeper.pids[0] else 1)
        assert token.pin not in Path(f"/proc/{pid}/cmdline").read_bytes()
        with contextlib.suppress(PermissionError):  # that is the protection
            assert token.pin not in Path(f"/proc/{pid}/environ").read_bytes()


def test_the_credential_never_reaches_the_keeper_in_plain(keeper: KeeperLike) -> None:
    intake, child = X25519PrivateKey.generate(), X25519PrivateKey.generate()
    credential = b"canary-credential-0d2f7a"
    keeper.say({
        "box": seal_box(intake.public_key().public_bytes_raw(), b"intake", credential).hex(),
        "private": intake.private_bytes_raw().hex(),
        "to": child.public_key().public_bytes_raw().hex(),
    })  # fmt: skip
    lease = bytes.fromhex(keeper.hear()["lease"])
    assert open_box(child.private_bytes_raw(), b"lease", lease) == credential
    for pid in keeper.pids:
        assert traces(pid, credential) == 0


def test_signers_cannot_dump_core_gain_rights_or_leave_their_filter(keeper: KeeperLike) -> None:
    for pid in keeper.pids:
        status = Path(f"/proc/{pid}/status").read_text()
        assert re.search(r"^NoNewPrivs:\t1$", status, re.MULTILINE)
        assert re.search(r"^Seccomp:\t2$", status, re.MULTILINE)
        limits = Path(f"/proc/{pid}/limits").read_text()
        assert re.search(r"^Max core file size +0 +0 ", limits, re.MULTILINE)


def test_a_signer_holds_no_file_but_its_channel_lock_and_null(keeper: KeeperLike) -> None:
    for pid in keeper.report["pids"]:
        try:
            held = {str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir()}
        except PermissionError:
            continue
        rest = {name for name in held if not name.startswith(("socket:", "/dev/null")) and not name.endswith("/lock")}
        own = {str(path.readlink()) for path in Path("/proc/self/fd").iterdir() if path.name == "2"}
        assert rest <= own | {"/dev/urandom", "/dev/random"}


def test_signers_end_with_the_keeper(keeper: KeeperLike) -> None:
    keeper.process.kill()
    keeper.process.wait(timeout=30)
    for pid in keeper.report["pids"]:
        wait_gone(pid)
    keeper.process.returncode = 0
    assert keeper.process.stdin is not None
    assert keeper.process.stdout is not None
    keeper.process.stdin.close()
    keeper.process.stdout.close()


def wait_gone(pid: int) -> None:
    """Waits for a process that is not ours to end."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([handle], [], [], 30)[0]
    finally:
        os.close(handle)
