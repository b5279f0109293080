"""Where a kernel lacks a protection, the status names it; nothing fails silently."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from keeping import Kept, kept

from hsmpub.cli import status
from hsmpub.model import entry as e
from hsmpub.wire import messages as m

OFF = "the kernel has no Landlock, or it is not enabled"


@pytest.fixture
def unprotected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    with kept(tmp_path, monkeypatch, {"files": OFF, "system-calls": "on"}) as made:
        yield made


def reply(kept: Kept) -> m.StatusReply:
    answer = asyncio.run(kept.call(m.GetStatus()))
    assert isinstance(answer, m.StatusReply)
    return answer


def test_the_status_names_a_protection_that_is_off_and_why(
    unprotected: Kept, capsys: pytest.CaptureFixture[str]
) -> None:
    said = reply(unprotected)
    assert f"protection files is off: {OFF}" in said.warnings
    assert said.counters["hsmpub_protections_off"] == 1
    status._say_protections(said)
    words = " ".join(capsys.readouterr().out.split())
    assert "Protections on: system-calls." in words
    assert f"off: files ({OFF})" in words


def test_the_status_of_a_keeper_with_every_protection_warns_of_none(kept: Kept) -> None:
    assert not [warning for warning in reply(kept).warnings if "protection" in warning]


def test_the_status_warns_of_what_was_adopted_without_approvals(kept: Kept) -> None:
    async def held() -> None:
        book = kept.keeper.book
        async with book.turn():
            await book.record(e.CeremonyHeld(book.now(), 1, "break-glass", "ab" * 32, ("holder-1",)))

    assert not [warning for warning in reply(kept).warnings if "break-glass" in warning]
    asyncio.run(held())
    assert [warning for warning in reply(kept).warnings if "break-glass ceremony 1" in warning]


def test_a_kernel_without_landlock_is_reported_by_the_process_that_runs_there() -> None:
    """`harden` is for good, so it happens in a process of its own, to which Landlock looks absent."""
    program = """
import sys
sys.path[:0] = {paths!r}
from hsmpub.sandbox import hardening
hardening.landlock_abi = lambda: 0
print(hardening.harden("keeper", read=["/etc"])["files"])
"""
    done = subprocess.run([sys.executable, "-c", program.format(paths=sys.path)], capture_output=True, text=True,
                          timeout=60, check=True)  # fmt: skip
    assert done.stdout.strip() == OFF
