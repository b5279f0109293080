"""What foreign verifiers said in a test run: kept in one record, of which docs/formats.md is made.

A test hands its verdicts to the fixture `proof` instead of asserting them:

    proof("cms", kind, "openssl cms -verify", good=accepts(…), tampered=accepts(…), on="a text")

The good one must be taken and the tampered one refused, or the test fails. What passed travels with the test's report
(`user_properties`, so from workers to the controller, too), and the controller writes the record when the run is over:
a run of everything writes it anew, a run of some tests replaces what those tests said. Nothing depends on an order.
"""

from __future__ import annotations

import functools
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

#: In the folder that pytest keeps for what it remembers between runs.
RECORD = Path(__file__).parents[1] / ".pytest_cache" / "proofs.json"
_NUMBER = re.compile(r"\d+(?:\.\d+)*(?:p\d+)?")
#: How programs tell their version that do not know --version. Those that never tell it are asked of the packager.
_ASK = {
    "openssl": ("openssl", "version"),
    "ssh-keygen": ("ssh", "-V"),
    "sshd": ("ssh", "-V"),
    "jarsigner": ("java", "-version"),
    "pdfsig": ("pdfsig", "-v"),
    "minisign": ("minisign", "-v"),
    "cosign": ("cosign", "version"),
    "signify-openbsd": ("dpkg-query", "-W", "-f", "${source:Upstream-Version}", "signify-openbsd"),
}


class Proof(msgspec.Struct, frozen=True, order=True):
    """One format, one kind of key, one verifier that took the good and refused the tampered.

    verifier: the command as people type it, or the library's name; on: who built what was signed; test: its node id.
    """

    format: str
    kind: str
    verifier: str
    version: str
    on: str = ""
    test: str = ""


Prove = Callable[..., None]


def prover(note: Callable[[str, object], None], test: str) -> Prove:
    """The fixture's function. note: `record_property`."""

    def prove(
        form: str, kind: str, verifier: str, *, good: object, tampered: object, on: str = "", version: str = ""
    ) -> None:
        assert good, f"{verifier} refuses what it should take as {form}"
        assert not tampered, f"{verifier} takes what was tampered with as {form}"
        proof = Proof(form, kind, verifier, version or version_of(verifier.split()[0]), on, test)
        note("proof", msgspec.to_builtins(proof))

    return prove


@functools.cache
def version_of(program: str) -> str:
    """Of a program on the PATH, or of a Python package; empty if nobody tells it."""
    if shutil.which(program) is None and program not in _ASK:
        try:
            return importlib.metadata.version(program.lower())
        except importlib.metadata.PackageNotFoundError:
            return ""
    env = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
    done = subprocess.run(_ASK.get(program, (program, "--version")), capture_output=True, env=env, check=False)
    found = _NUMBER.search((done.stdout + done.stderr).decode(errors="replace"))
    return found[0] if found else ""


class Recorder:
    """Gathers in the process that the run was started as. whole: every test is to run."""

    def __init__(self, whole: bool) -> None:
        self._whole = whole
        self._ran: set[str] = set()
        self._found: list[Proof] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._ran.add(report.nodeid)
        if report.when == "call" and report.passed:
            said = [value for name, value in report.user_properties if name == "proof"]
            self._found += [msgspec.convert(value, Proof) for value in said]

    def pytest_sessionfinish(self) -> None:
        earlier = [] if self._whole else [proof for proof in load() if proof.test not in self._ran]
        if not self._whole and not self._found and not RECORD.exists():
            return
        dump([*earlier, *self._found])


def load() -> list[Proof]:
    """The record of the last run; empty if there was none, or if it is of another version."""
    try:
        return msgspec.json.decode(RECORD.read_bytes(), type=list[Proof])
    except (OSError, msgspec.MsgspecError):
        return []


def dump(proofs: list[Proof]) -> None:
    """Written whole."""
    RECORD.parent.mkdir(exist_ok=True)
    passing = RECORD.with_suffix(f".{os.getpid()}")
    text: list[Any] = [msgspec.to_builtins(proof) for proof in sorted(set(proofs))]
    passing.write_text(json.dumps(text, indent=1, ensure_ascii=False) + "\n")
    passing.replace(RECORD)
