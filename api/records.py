"""What is kept of each answered request: a name that its asker sees, a count, and one line in the log."""

from __future__ import annotations

import os
import time
from itertools import count

from api.logs import JsonLog, RequestLine
from api.metrics import Metrics
from hsmpub.model.clock import rfc3339

REQUEST_ID = b"hsmpub-request-id"


class Records:
    """Args:
    metrics, log: where answers are counted and written.
    """

    def __init__(self, metrics: Metrics, log: JsonLog) -> None:
        self._metrics = metrics
        self._log = log
        self._prefix = os.urandom(6).hex()
        self._count = count(1)
        self._second, self._now = 0, ""

    def name(self) -> str:
        """The next request's, which no other request of any front has."""
        return f"{self._prefix}-{next(self._count):x}"

    def answered(
        self, name: str, method: str, route: str, status: int, seconds: float, *, rule: str = "", fault: str = ""
    ) -> None:
        """Counts and logs one answer. route: the template. fault: where an unexpected error came from."""
        second = int(time.time())
        if second != self._second:
            self._second, self._now = second, rfc3339(second)
        self._metrics.observe(route, status, rule, seconds)
        self._log.write(
            RequestLine(self._now, "request", name, method, route, status, round(seconds * 1000, 2), rule, fault)
        )
