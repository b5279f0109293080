from __future__ import annotations

import pytest
from shares_of import Holders, make_holders


@pytest.fixture(scope="session")
def holders() -> Holders:
    return make_holders()


@pytest.fixture(scope="session")
def other_holders() -> Holders:
    """The same names in another set: a later epoch of the same service."""
    return make_holders(epoch=2)
