"""What a hardened process can still do, tried by one."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from hsmpub.sandbox import ProtectionMissing, harden, python_command
from hsmpub.sandbox.landlock import landlock_abi

ATTEMPTS = Path(__file__).parent / "attempts.py"
no_landlock = pytest.mark.skipif(landlock_abi() == 0, reason="this kernel has no Landlock")


def attempts(role: str, tmp_path: Path, *, files: bool) -> dict[str, Any]:
    """Hardens a child process and returns what each attempt came to."""
    for name in ("open", "write", "closed"):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "file").write_text("text")
    command = python_command("hsmpub.sandbox")
    command[-1] = f"{command[-1].split('from hsmpub')[0]}exec(open({str(ATTEMPTS)!r}).read())"
    done = subprocess.run([*command, role, str(tmp_path), str(int(files))], capture_output=True, timeout=60, check=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@no_landlock
@pytest.mark.parametrize("role", ["signer", "vault", "unsealer", "ceremony", "extractor"])
def test_a_process_with_secrets_reaches_nothing(role: str, tmp_path: Path) -> None:
    came_to = attempts(role, tmp_path, files=True)
    refused = {"inet", "inet6", "netlink", "unix", "interpreter", "program", "fork", "passwd", "closed", "scribble"}
    assert {name for name, outcome in came_to.items() if outcome == "refused"} >= refused
    assert came_to["thread"] == came_to["named"] == came_to["writable"] == "done"


@no_landlock
@pytest.mark.parametrize("role", ["front", "keeper", "courier", "job", "signer"])
def test_of_the_checkout_only_the_code_is_read(role: str, tmp_path: Path) -> None:
    """The demo's home lies in it, and there is the keeper's identity."""
    came_to = attempts(role, tmp_path, files=True)
    assert (came_to["checkout"], came_to["package"]) == ("refused", "done")


@no_landlock
def test_the_keeper_has_unix_sockets_and_the_interpreter_only(tmp_path: Path) -> None:
    came_to = attempts("keeper", tmp_path, files=True)
    assert came_to["unix"] == came_to["interpreter"] == came_to["fork"] == "done"
    for name in ("inet", "inet6", "netlink", "program", "passwd", "closed"):
        assert came_to[name] == "refused", name


def test_the_report_names_every_protection_and_why_one_is_off(tmp_path: Path) -> None:
    report = attempts("front", tmp_path, files=False)["report"]
    assert set(report) == {
        "no-debugger", "no-core-file", "no-new-privileges", "files", "tcp", "signals", "system-calls",
    }  # fmt: skip
    assert report["no-debugger"] == report["no-core-file"] == report["no-new-privileges"] == "on"
    assert "let nothing else run on this machine" in report["files"]


def test_no_core_file_and_no_debugger_of_the_same_user(tmp_path: Path) -> None:
    came_to = attempts("signer", tmp_path, files=False)
    assert came_to["core-limit"] == [0, 0]
    assert came_to["dumpable"] == 0
    assert came_to["signal-outside"] == ("refused" if landlock_abi() >= 6 else "done")


def test_insists_on_what_is_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hsmpub.sandbox.hardening._prctl", lambda *_: "on")
    monkeypatch.setattr("hsmpub.sandbox.hardening._no_core_file", lambda: "the limit was refused")
    monkeypatch.setattr("hsmpub.sandbox.hardening._confine", lambda *_: {"files": "the kernel has no Landlock"})
    monkeypatch.setattr("hsmpub.sandbox.hardening.forbid_system_calls", lambda _: "on")
    assert harden("signer")["no-core-file"] == "the limit was refused"
    with pytest.raises(ProtectionMissing, match="files: the kernel has no Landlock"):
        harden("signer", required=["files"])
    with pytest.raises(ProtectionMissing, match="unknown protection"):
        harden("signer", required=["moat"])
