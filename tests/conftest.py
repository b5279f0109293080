"""For all tests."""

from __future__ import annotations

import pytest
from hypothesis import settings

# A busy machine is slow without being wrong.
settings.register_profile("hsmpub", deadline=None)
settings.load_profile("hsmpub")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those that take longest begin first: whole services, then ceremonies."""
    order = {"service": 0, "ceremony": 1}
    items.sort(key=lambda item: order.get(item.path.parent.name, 2))
