"""For all tests."""

from __future__ import annotations

from hypothesis import settings

# A busy machine is slow without being wrong.
settings.register_profile("hsmpub", deadline=None)
settings.load_profile("hsmpub")
