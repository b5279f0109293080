"""What one unsealing allows, and what is left of it. Everything that is signed passes here first.

Signatures are taken before they are made; what is logged has left and is counted there, the rest is given back. Time
is measured twice, by the clock and by the time that passed: setting the clock back prolongs nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Literal

from hsmpub.errors import Forbidden, Unavailable
from hsmpub.model.terms import say_terms
from hsmpub.model.unsealings import Opened

_AGAIN = "Holders unseal it again with 'hsmpub unseal', under terms that reach."
Over = Literal["time-over", "signatures-used-up"]


class ProjectNotUnsealed(Forbidden):
    advice = "It is unsealed for other projects; holders unseal it for this one with 'hsmpub unseal --project'."


class UnsealTimeOver(Unavailable):
    advice = _AGAIN


class TooFewSignaturesLeft(Unavailable):
    advice = f"Ask for fewer at once, or wait. {_AGAIN}"
    retry_is_safe = False


class Opening:
    """One unsealing, as the log has it: `opened` counts what has left.

    Args:
        now: seconds since 1970. elapsed: seconds that never go back.
    """

    def __init__(self, opened: Opened, now: Callable[[], int], elapsed: Callable[[], float] = time.monotonic) -> None:
        self.opened = opened
        self._terms = opened.terms
        self._now = now
        self._elapsed = elapsed
        self._began = elapsed() - max(now() - opened.at, 0)
        self._taken = 0
        self._at_rest = asyncio.Event()
        self._at_rest.set()
        self._ended = False

    @property
    def until(self) -> int | None:
        """Seconds since 1970, or None."""
        seconds = self._terms.seconds
        return None if seconds is None else self.opened.at + seconds

    @property
    def left(self) -> int | None:
        """Signatures that may still be taken, or None."""
        limit = self._terms.signatures
        return None if limit is None else max(limit - self.opened.signatures - self._taken, 0)

    @property
    def age(self) -> float:
        """Seconds since it began."""
        return max(self._elapsed() - self._began, self._now() - self.opened.at)

    @property
    def quiet(self) -> float:
        """Seconds since something was signed, or since it began."""
        return self._now() - max(self.opened.last_signature_at, self.opened.at)

    @property
    def is_busy(self) -> bool:
        """Signatures are being made now."""
        return self._taken > 0

    @property
    def over(self) -> Over | None:
        """Which of the terms has ended it."""
        seconds = self._terms.seconds
        if seconds is not None and self.age >= seconds:
            return "time-over"
        limit = self._terms.signatures
        if limit is not None and self.opened.signatures >= limit:
            return "signatures-used-up"
        return None

    def end(self) -> None:
        """Nothing is taken from here on."""
        self._ended = True

    async def rest(self) -> None:
        """Returns when nothing is being signed."""
        await self._at_rest.wait()

    def check_time(self) -> None:
        """Raises UnsealTimeOver."""
        seconds = self._terms.seconds
        if self._ended or (seconds is not None and self.age >= seconds):
            raise UnsealTimeOver(f"The service was unsealed {say_terms(self._terms)}, and that is over.")

    def check_project(self, project: str) -> None:
        """Raises UnsealTimeOver, ProjectNotUnsealed."""
        self.check_time()
        projects = self._terms.projects
        if projects is not None and project not in projects:
            raise ProjectNotUnsealed(f"The service is unsealed {say_terms(self._terms)}, not for {project!r}.")

    def check_whole(self, what: str) -> None:
        """For what belongs to no project. Raises ProjectNotUnsealed: the terms name projects."""
        if self._terms.projects is not None:
            raise ProjectNotUnsealed(f"The service is unsealed {say_terms(self._terms)}, and not for {what}.")

    def take(self, project: str, count: int) -> None:
        """So many signatures for this project may be made, logged and let go; then `give_back`: the log counts what
        left.

        Raises:
            UnsealTimeOver, ProjectNotUnsealed, TooFewSignaturesLeft: nothing was taken.
        """
        self.check_project(project)
        if self._terms.signatures is not None and count > (left := self.left or 0):
            raise TooFewSignaturesLeft(f"{count} signatures are asked for, and this unsealing has {left} left.")
        self._taken += count
        self._at_rest.clear()

    def give_back(self, count: int) -> None:
        """What `take` took has left, or will not."""
        self._taken -= count
        if not self._taken:
            self._at_rest.set()
