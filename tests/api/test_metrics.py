"""Answers as they are counted here, beside the same counted by Prometheus's own classes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from api.metrics import _BUCKETS, Metrics

ANSWER = st.tuples(
    st.sampled_from(["/v1/sign", "/v1/keys", 'a"b']),
    st.sampled_from([200, 429]),
    st.sampled_from(["", "too-many-requests"]),
    st.one_of(st.sampled_from(_BUCKETS), st.integers(0, 1 << 20).map(lambda n: n / 1024)),
)


@given(st.lists(ANSWER))
def test_what_is_exposed_is_what_prometheus_would_have_counted(answers: list[tuple[str, int, str, float]]) -> None:
    registry = CollectorRegistry()
    requests = Counter("hsmpub_http_requests", "Answered requests.", ["route", "status", "rule"], registry=registry)
    seconds = Histogram("hsmpub_http_seconds", "Time to answer.", ["route"], registry=registry, buckets=_BUCKETS)
    Gauge("hsmpub_uploads_open", "Uploads under way.", registry=registry)
    Counter("hsmpub_upload_bytes", "Bytes taken in.", registry=registry)
    metrics = Metrics()
    for route, status, rule, took in answers:
        requests.labels(route, str(status), rule).inc()
        seconds.labels(route).observe(took)
        metrics.observe(route, status, rule, took)
    told = metrics.exposition(None).removesuffix(b"# TYPE hsmpub_keeper_up gauge\nhsmpub_keeper_up 0\n")
    for ours, theirs in zip(told.splitlines(), generate_latest(registry).splitlines(), strict=True):
        if b"_created{" in ours or b"_sum{" in ours:  # a moment, and a sum of floats: the same but for the last digits
            (name, number), (other, expected) = ours.rsplit(b" ", 1), theirs.rsplit(b" ", 1)
            assert (name, float(number)) == (other, pytest.approx(float(expected)))
        else:
            assert ours == theirs or b"_created " in ours
