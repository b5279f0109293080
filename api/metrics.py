"""Prometheus metrics: what the front counts itself, and the keeper's counters as it reports them."""

from __future__ import annotations

import re

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from hsmpub.wire.messages import StatusReply

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)
_NOT_A_NAME = re.compile(r"[^a-zA-Z0-9_]")


class Metrics:
    """Counters of one front process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "hsmpub_http_requests", "Answered requests.", ["route", "status", "rule"], registry=self.registry
        )
        self._seconds = Histogram(
            "hsmpub_http_seconds", "Time to answer.", ["route"], registry=self.registry, buckets=_BUCKETS
        )
        self.uploads = Gauge("hsmpub_uploads_open", "Uploads under way.", registry=self.registry)
        self.upload_bytes = Counter("hsmpub_upload_bytes", "Bytes taken in.", registry=self.registry)
        self._known: dict[tuple[str, int, str], tuple[Counter, Histogram]] = {}

    def observe(self, route: str, status: int, rule: str, seconds: float) -> None:
        """Counts one answer. route: the template, never the path, so that the series stay few."""
        key = (route, status, rule)
        known = self._known.get(key)
        if known is None:  # looking labels up costs more than counting
            known = self._known[key] = (self._requests.labels(route, str(status), rule), self._seconds.labels(route))
        known[0].inc()
        known[1].observe(seconds)

    def exposition(self, status: StatusReply | None) -> bytes:
        """Prometheus text format 0.0.4. status: the keeper's, or None where it does not answer."""
        return generate_latest(self.registry) + _keeper_lines(status)


def _keeper_lines(status: StatusReply | None) -> bytes:
    lines = ["# TYPE hsmpub_keeper_up gauge", f"hsmpub_keeper_up {int(status is not None)}"]
    if status is not None:
        facts: dict[str, float] = {
            "unsealed": float(status.state == "unsealed"),
            "epoch": status.epoch,
            "log_size": status.log_size,
            "signers": status.signers,
            "warnings": len(status.warnings),
            **status.counters,
        }
        for name, value in sorted(facts.items()):
            metric = "hsmpub_keeper_" + _NOT_A_NAME.sub("_", name.removeprefix("hsmpub_").removeprefix("keeper_"))
            kind = "counter" if metric.endswith("_total") else "gauge"
            lines += [f"# TYPE {metric} {kind}", f"{metric} {float(value)!r}"]
    return ("\n".join(lines) + "\n").encode()
