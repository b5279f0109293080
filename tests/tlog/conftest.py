from __future__ import annotations

from pathlib import Path

import pytest
from logs import Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture(params=["thread", "process"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A place whose logs have the one or the other writer."""
    return Place(tmp_path, apart=request.param == "process")
