"""CI sessions that the keeper opened through this front: enough to cap uploads and rates, never to sign.

Only the keeper knows a session's key, and only the keeper checks it. What stands here is a courtesy to the disk.
"""

from __future__ import annotations

from collections import OrderedDict

from api.problem import SessionUnknown

_MOST = 20_000


class Sessions:
    """Known sessions and when they end (seconds since 1970)."""

    def __init__(self) -> None:
        self._ends: OrderedDict[bytes, int] = OrderedDict()

    def learn(self, session: bytes, expires_at: int) -> None:
        self._ends[session] = expires_at
        self._ends.move_to_end(session)
        if len(self._ends) > _MOST:
            self._ends.popitem(last=False)

    def is_known(self, session: bytes, now: int) -> bool:
        return self._ends.get(session, 0) > now

    def check_known(self, session: bytes, now: int) -> None:
        """Raises SessionUnknown: not opened through this front, or over."""
        if not self.is_known(session, now):
            raise SessionUnknown("This front knows no such session, or it has ended.")
