"""One real service for all tests of this folder that run in the same process: ceremony, keeper, front, courier."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.demo.servers.issuer import Issuer
from deploy.demo.world import World
from tests.box import genesis, make_world, running


@pytest.fixture(scope="session")
def issuer() -> Iterator[Issuer]:
    with Issuer.start() as issuer:
        yield issuer


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory, issuer: Issuer) -> Iterator[World]:
    """Unsealed, with the demo's policy and people. Tests share it, so each uses versions of its own."""
    world = make_world(Path(tmp_path_factory.mktemp("service")) / "world", issuer)
    genesis(world)
    try:
        with running(world):
            yield world
    finally:
        world.stage.close()
