"""Token buckets: how often one asker may ask. Bounded in memory, whatever is sent."""

from __future__ import annotations

import time
from collections import OrderedDict
from ipaddress import IPv6Address, ip_address

from api.problem import TooManyRequests


class Throttle:
    """One bucket for each key; `rate` tokens a second, at most `burst`.

    Args:
        who: how the refusal calls the asker, e.g. "This address".
        keys: how many askers are remembered; the one that asked longest ago is forgotten first.
    """

    def __init__(self, rate: float, burst: float, who: str, *, keys: int = 50_000) -> None:
        self._rate = rate
        self._burst = burst
        self._who = who
        self._keys = keys
        self._buckets: OrderedDict[object, tuple[float, float]] = OrderedDict()

    def check(self, key: object, now: float | None = None) -> None:
        """Takes one token.

        Raises:
            TooManyRequests: none is left.
        """
        now = time.monotonic() if now is None else now
        level, at = self._buckets.get(key, (self._burst, now))
        level = min(self._burst, level + (now - at) * self._rate)
        if level < 1.0:
            raise TooManyRequests(f"{self._who} asks more often than {self._rate:g} times a second.")
        self._buckets[key] = (level - 1.0, now)
        self._buckets.move_to_end(key)
        if len(self._buckets) > self._keys:
            self._buckets.popitem(last=False)


def asker(client: tuple[str, int] | None) -> str:
    """The key of a peer address: an IPv4 address, or the /64 of an IPv6 address."""
    if client is None:
        return "local"
    host = client[0]
    if ":" not in host:
        return host
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    return str(IPv6Address(int(address) >> 64 << 64)) if address.version == 6 else host
