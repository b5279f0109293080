"""Each module that can be had here does what its column in docs/hsm.md says, no less and no more."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "modules"))
from stage import STAGES
from table import PAGE, rows_of, written

#: What differs from machine to machine.
VERSIONS = {"says of itself", "package"}


def learned(told: str, answer: str) -> bool:
    """What the page's version of a module could not do, or was not tried for that, another version does, or fails at in
    another way."""
    return told.startswith(("no: ", "not tried")) and answer.startswith(("yes", "no: "))


@pytest.mark.parametrize("name", STAGES)
def test_a_module_does_what_its_column_says(name: str, tmp_path: Path) -> None:
    stage = STAGES[name]
    if why := stage.lacks():
        pytest.skip(why)
    found, column = rows_of(stage, tmp_path), written(PAGE.read_text(encoding="utf-8"))[name]
    rows = {row: answer for row, answer in found.items() if row not in VERSIONS}
    if found["package"] != column["package"]:
        column |= {row: answer for row, answer in rows.items() if learned(column[row], answer)}
    assert rows == {row: answer for row, answer in column.items() if row not in VERSIONS and answer != "not tried"}


@pytest.mark.skipif("HSMPUB_EVERY_MODULE" not in os.environ, reason="set HSMPUB_EVERY_MODULE where all are installed")
def test_no_module_is_missing() -> None:
    assert {stage.name: stage.lacks() for stage in STAGES.values()} == dict.fromkeys(STAGES, "")
