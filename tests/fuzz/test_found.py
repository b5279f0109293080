"""What fuzzing began with and what it found: every parser still refuses by name, or reads."""

from __future__ import annotations

import random

import pytest

from tests.fuzz.targets import FOUND, TARGETS

#: pyHanko takes its time, and is optional.
NAMES = sorted(set(TARGETS) - {"pdf"})


@pytest.mark.parametrize("name", NAMES)
def test_seeds_and_what_was_made_of_them_are_read_or_refused_by_name(name: str) -> None:
    dice = random.Random(name)
    for seed in TARGETS[name].seeds():
        TARGETS[name].run(seed)
        for _ in range(20):
            altered = bytearray(seed[: dice.choice((len(seed), dice.randrange(len(seed) + 1)))])
            for _ in range(dice.choice((1, 1, 4)) if altered else 0):
                altered[dice.randrange(len(altered))] = dice.randrange(256)
            TARGETS[name].run(bytes(altered))


@pytest.mark.parametrize("path", sorted(FOUND.glob("*/*")), ids=lambda path: f"{path.parent.name}-{path.name[:24]}")
def test_what_was_found_once_is_read_or_refused_by_name(path) -> None:
    if path.parent.name == "pdf":
        pytest.importorskip("pyhanko")
    TARGETS[path.parent.name].run(path.read_bytes())


def test_what_was_found_belongs_to_a_target() -> None:
    assert {path.parent.name for path in FOUND.glob("*/*")} <= set(TARGETS)
