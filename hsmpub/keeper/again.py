"""When a request that is approved, and could not be carried out, is tried again: each time later.

Whoever may ask for a release chooses its files, and one that nobody can sign would be hashed and looked into every few
seconds until its time is over, before everybody else's.
"""

from __future__ import annotations

from hsmpub.errors import HsmpubError, Problem

FIRST_SECONDS, MOST_SECONDS = 5, 600
#: What comes back by itself, and is tried at every turn: a token, a disk, shares.
_COMES_BACK = frozenset({"unavailable", "throttled"})


class Again:
    """Requests by their ids. Times in seconds since 1970."""

    def __init__(self) -> None:
        #: when it is due, and after how long
        self._waits: dict[str, tuple[int, int]] = {}

    def failed(self, request: str, now: int, error: HsmpubError | None) -> None:
        """error: why; None: nobody knows."""
        if error is not None and Problem.of(error).family in _COMES_BACK:
            self._waits.pop(request, None)
            return
        _, last = self._waits.get(request, (0, 0))
        seconds = min(2 * last, MOST_SECONDS) or FIRST_SECONDS
        self._waits[request] = now + seconds, seconds

    def is_due(self, request: str, now: int) -> bool:
        return self._waits.get(request, (now, 0))[0] <= now

    def forget(self, request: str) -> None:
        self._waits.pop(request, None)
