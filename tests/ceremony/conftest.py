from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import pytest
from ceremony_stage import Born, Stage, make_stage

from ceremony.genesis import run_genesis

_started: list[str] | None = None


def _note_process(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "subprocess.Popen" and _started is not None:
        _started.append(repr(arguments))


sys.addaudithook(_note_process)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return make_stage(tmp_path)


@pytest.fixture(scope="session")
def born(tmp_path_factory: pytest.TempPathFactory) -> Born:
    """One genesis for every test that only looks at its outputs. seen: arguments of all processes it started."""
    global _started
    stage = make_stage(tmp_path_factory.mktemp("genesis"))
    _started = seen = []
    try:
        done = run_genesis(stage.plan(), stage.folder / "home", now=lambda: int(time.time()))
    finally:
        _started = None
    return Born(stage, done, seen)
