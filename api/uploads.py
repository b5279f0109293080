"""How many uploads may run at the same time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import Gauge

from api.problem import TooManyUploads


class UploadPlaces:
    """So many places; each upload takes one. gauge: shows how many are taken."""

    def __init__(self, places: int, gauge: Gauge) -> None:
        self._places = places
        self._gauge = gauge
        self._taken = 0

    @contextmanager
    def take(self) -> Iterator[None]:
        """Raises TooManyUploads: all are taken."""
        if self._taken >= self._places:
            raise TooManyUploads(f"{self._taken} uploads are under way already.")
        self._taken += 1
        self._gauge.set(self._taken)
        try:
            yield
        finally:
            self._taken -= 1
            self._gauge.set(self._taken)
