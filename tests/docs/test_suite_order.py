"""The order of a parallel run loses no test, and its lanes name what there is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.order import LANES, in_lanes


@dataclass(frozen=True)
class Item:
    nodeid: str
    fixturenames: tuple[str, ...] = ()


ITEMS = [Item(f"{path}::test_{n}") for path in sorted(map(str, Path("tests").rglob("test_*.py"))) for n in range(3)]


@pytest.mark.parametrize("workers", [1, 2, 3, 4, 7])
def test_every_test_runs_once_and_each_stretch_begins_with_its_lanes(workers: int) -> None:
    ordered = in_lanes(ITEMS, workers)  # type: ignore[arg-type]
    assert sorted(ordered, key=ITEMS.index) == ITEMS
    slow = [any(of(item) for takes in LANES for of in takes) for item in ordered]  # type: ignore[arg-type]
    begins = [at for at in range(len(slow)) if slow[at] and not (at and slow[at - 1])]
    assert len(begins) == min(workers, len(LANES))


def test_every_lane_takes_something() -> None:
    items = [*ITEMS, Item("tests/service/test_x.py::test_x", ("publishing",))]
    for takes in LANES:
        assert all(any(of(item) for item in items) for of in takes)  # type: ignore[arg-type]
