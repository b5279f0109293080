"""One front for the tests that change nothing about it; those that do start their own with `running`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from running import Running, running


@pytest.fixture(scope="module")
def front() -> Iterator[Running]:
    with running() as up:
        yield up


@pytest.fixture
def http(front: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=front.url, trust_env=False) as client:
        yield client
