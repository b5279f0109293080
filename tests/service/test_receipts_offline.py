"""I7: receipts of the real service verify with nothing but the pins and no network at all; a flipped byte is named."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.demo.world import World
from hsmpub.errors import HsmpubError
from hsmpub.receipt import verify_receipt
from hsmpub.tlog.note import NoteUntrusted, VerifierKey, load_verifier_key
from hsmpub.wire import messages as m
from tests.service.hands import start_release, unseal, wait_for
from tests.service.jobs import NIGHTLY

#: Runs the command after the kernel was told to give this process no socket, ever.
_WITHOUT_NETWORK = """
import sys
sys.path[:0] = {paths!r}
from hsmpub.sandbox.role import Role
from hsmpub.sandbox.seccomp import forbid_system_calls
import hsmpub.cli.main, ctypes, socket
ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)
assert forbid_system_calls(Role(sockets="none", spawn=False)) == "on"
try:
    socket.socket()
except PermissionError:
    pass
else:
    raise SystemExit("there is a network")
sys.argv = ["hsmpub", *sys.argv[1:]]
raise SystemExit(hsmpub.cli.main.run())
"""


@pytest.fixture(scope="module")
def published(publishing: World, tmp_path_factory: pytest.TempPathFactory) -> tuple[m.RequestView, Path]:
    """A published release of a wheel and of a package that no index takes, and the folder of what was fetched of it: a
    new one, since where a worker leaves this module and comes back, the fixture is made twice, the service is the same.
    """
    unseal(publishing)
    view = wait_for(publishing, start_release(publishing, ("notes.deb", b"no wheel")).request, "published")
    folder = tmp_path_factory.mktemp("fetched")
    publishing.hsmpub("release", "fetch", view.request, "--to", folder)
    for file in json.loads(view.statement)["subject"]:
        digest = file["digest"]["sha256"]
        shutil.copy(publishing.home / "artifacts" / digest[:2] / digest, folder / file["name"])
    return view, folder


def offline(world: World, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    program = _WITHOUT_NETWORK.format(paths=[path for path in sys.path if path])
    command = [sys.executable, "-c", program, "verify", *map(str, arguments), "--trust", str(world.trust)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env={"COLUMNS": "200"})


def test_the_receipt_of_a_published_release_verifies_without_a_network(
    publishing: World, published: tuple[m.RequestView, Path]
) -> None:
    _, folder = published
    done = offline(publishing, next(folder.glob("*.receipt.json")), *folder.iterdir())
    assert done.returncode == 0, done.stderr
    for step in ("checkpoint", "inclusion", "request", "policy", "approvals", "signatures", "files", "publishing"):
        assert f"ok  {step}" in done.stdout
    assert "2 people approved it" in done.stdout
    assert "2 of 2 files are at hand" in done.stdout
    assert done.stdout.count("→ index: accepted") == 1  # the wheel; the other file was not to go there


def test_the_receipt_of_routine_signatures_verifies_without_a_network(publishing: World, tmp_path: Path) -> None:
    unseal(publishing)
    file = tmp_path / "a.bin"
    file.write_bytes(b"nightly")
    publishing.hsmpub("sign", file, "--project", "nightly", "--format", "sshsig", env=publishing.ci(**NIGHTLY))
    done = offline(publishing, f"{file}.receipt.json", file, f"{file}.sig")
    assert done.returncode == 0, done.stderr
    file.write_bytes(b"nightlY")
    done = offline(publishing, f"{file}.receipt.json", file, f"{file}.sig")
    assert done.returncode != 0
    assert "a.bin" in done.stderr


def test_a_flipped_byte_anywhere_in_a_real_receipt_is_refused_by_a_rule(
    publishing: World, published: tuple[m.RequestView, Path]
) -> None:
    """Four hundred places, drawn; the receipts' own tests flip every one of an invented receipt."""
    receipt = next(published[1].glob("*.receipt.json")).read_bytes()
    log_key = json.loads(publishing.trust.read_bytes())["log_key"]
    verify_receipt(receipt, log_key)
    draw, meant, met = random.Random(7), json.loads(receipt), set()
    for _ in range(400):
        flipped = bytearray(receipt)
        flipped[draw.randrange(len(receipt))] ^= 1 << draw.randrange(8)
        try:
            if json.loads(flipped) == meant:
                continue  # white space
        except ValueError:
            pass
        with pytest.raises(HsmpubError) as refused:
            verify_receipt(bytes(flipped), log_key)
        met.add(refused.value.rule)
    assert {"receipt-malformed", "entry-not-in-log"} <= met, met


def test_refuses_a_receipt_under_the_pins_of_another_service(
    publishing: World, published: tuple[m.RequestView, Path]
) -> None:
    receipt = next(published[1].glob("*.receipt.json")).read_bytes()
    pinned = load_verifier_key(json.loads(publishing.trust.read_bytes())["log_key"])
    other = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    with pytest.raises(NoteUntrusted):
        verify_receipt(receipt, str(VerifierKey(pinned.name, other)))
