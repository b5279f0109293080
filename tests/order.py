"""The order of a parallel run: what takes long begins first, and what shares a dear world stays together.

xdist's `worksteal` gives each worker one stretch of the collected tests and moves the ends of stretches to whoever is
idle. So each stretch begins with lanes, sets of tests that take tens of seconds and want the same world (a service, a
genesis) that a session fixture makes once for each worker; the many short ones fill the stretches up, and are what
moves. Any order has to pass: this one is only the fastest known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice

import pytest

Of = Callable[[pytest.Item], bool]


def _wants(fixture: str) -> Of:
    return lambda item: fixture in getattr(item, "fixturenames", ())


def _in(*folders: str) -> Of:
    return lambda item: item.nodeid.startswith(tuple(f"tests/{folder}" for folder in folders))


#: By worker, and in order. A test is in the first lane that takes it.
LANES: tuple[tuple[Of, ...], ...] = (
    # waits most of its minutes: killed while it publishes, the courier looks for long before it uploads again
    (_in("service/test_published_once"), _wants("publishing"), _in("courier/")),
    # each of these has a world of its own
    (
        _in("service/test_worst_day", "service/test_every_format", "service/test_keys_change"),
        _in("service/test_sealed", "service/test_upgrade", "service/test_hostile_holders"),
        _in("service/test_another_module"),
    ),
    (_in("service/"), _in("hsm/")),
    (_in("ceremony/"),),
)


def in_lanes(items: Sequence[pytest.Item], workers: int) -> list[pytest.Item]:
    """The items in stretches of equal number, one for each worker, each with its lanes first."""
    placed = sorted(((place, n, item) for n, item in enumerate(items) if (place := _place(item))), key=lambda p: p[:2])
    short = iter([item for item in items if not _place(item)])
    ordered: list[pytest.Item] = []
    for worker in range(workers):
        size = (len(items) - len(ordered)) // (workers - worker)  # as xdist cuts them
        stretch = [item for (lane, _), _, item in placed if lane % workers == worker]
        ordered += [*stretch, *islice(short, max(0, size - len(stretch)))]
    return [*ordered, *short]


def _place(item: pytest.Item) -> tuple[int, int] | None:
    """Its lane, and how far behind in it; none for the short ones."""
    places = ((lane, at) for lane, takes in enumerate(LANES) for at, of in enumerate(takes) if of(item))
    return next(places, None)
