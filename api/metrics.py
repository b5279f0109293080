"""Prometheus metrics: what the front counts itself, and the keeper's counters as it reports them."""

from __future__ import annotations

import re
import time
from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric

from hsmpub.wire.messages import StatusReply

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)
_BUCKET_NAMES = [*map(str, _BUCKETS), "+Inf"]
_NOT_A_NAME = re.compile(r"[^a-zA-Z0-9_]")


class _Answers:
    """Those of one route, status and rule: how many took how long, in all, and since when (seconds since 1970)."""

    __slots__ = ("buckets", "seconds", "since")

    def __init__(self) -> None:
        self.buckets = [0] * len(_BUCKET_NAMES)
        self.seconds = 0.0
        self.since = time.time()


class Metrics:
    """Counters of one front process. It counts answers itself, since nothing else is counted so often."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(self)
        self.uploads = Gauge("hsmpub_uploads_open", "Uploads under way.", registry=self.registry)
        self.upload_bytes = Counter("hsmpub_upload_bytes", "Bytes taken in.", registry=self.registry)
        self._answers: dict[tuple[str, int, str], _Answers] = {}

    def observe(self, route: str, status: int, rule: str, seconds: float) -> None:
        """Counts one answer. route: the template, never the path, so that the series stay few."""
        key = (route, status, rule)
        answers = self._answers.get(key)
        if answers is None:
            answers = self._answers[key] = _Answers()
        answers.buckets[bisect_left(_BUCKETS, seconds)] += 1
        answers.seconds += seconds

    def collect(self) -> Iterator[Metric]:
        """The answers, as the registry wants them."""
        requests = CounterMetricFamily("hsmpub_http_requests", "Answered requests.", labels=("route", "status", "rule"))
        took = HistogramMetricFamily("hsmpub_http_seconds", "Time to answer.", labels=("route",))
        routes: dict[str, list[_Answers]] = {}
        for (route, status, rule), answers in self._answers.items():
            requests.add_metric((route, str(status), rule), sum(answers.buckets), answers.since)
            routes.setdefault(route, []).append(answers)
        for route, some in routes.items():
            at_most = accumulate(map(sum, zip(*(answers.buckets for answers in some), strict=True)))
            took.add_metric((route,), list(zip(_BUCKET_NAMES, at_most, strict=True)), sum(one.seconds for one in some))
            took.add_sample("hsmpub_http_seconds_created", {"route": route}, some[0].since)
        yield requests
        yield took

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
