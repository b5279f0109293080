from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from team import Gpg, Team, make_team


@pytest.fixture(scope="session")
def team() -> Team:
    return make_team()


@pytest.fixture(scope="module")
def gpg(team: Team, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gpg]:
    made = Gpg(tmp_path_factory.mktemp("g") / "home")
    try:
        made("--import", data=team.key.openpgp.encode())
        yield made
    finally:
        made.close()
