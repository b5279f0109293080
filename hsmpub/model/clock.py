"""Times are whole seconds since 1970 (UTC), as `int`, everywhere inside; RFC 3339 where people read them."""

from __future__ import annotations

from datetime import UTC, datetime


def rfc3339(seconds: int) -> str:
    """Seconds since 1970 as `2026-11-22T06:05:00Z`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
