from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.envelope import team as makers
from tests.envelope.team import Gpg, Team


@pytest.fixture(scope="session")
def team() -> Team:
    return makers.team()


@pytest.fixture(scope="module")
def gpg(team: Team, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gpg]:
    made = Gpg(tmp_path_factory.mktemp("g") / "home")
    try:
        made("--import", data=team.key.openpgp.encode())
        yield made
    finally:
        made.close()
