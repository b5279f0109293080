from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from keeping import Kept
from keeping import kept as keep


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    """Sealed, with the policy and the people of `keeping`."""
    with keep(tmp_path, monkeypatch) as made:
        yield made
