"""From unsealed to sealed: because somebody says so, something is not what it was, or the terms are over."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from hsmpub.errors import HsmpubError
from hsmpub.keeper.access import Access
from hsmpub.keeper.book import Book
from hsmpub.keeper.sealing import due
from hsmpub.model import entry as e

log = logging.getLogger("hsmpub.keeper")

#: Seconds for what is being signed when an unsealing ends by itself, and for the checkpoint that covers it.
LAST_SECONDS = 2.0


class Closing(Access):
    """Ends an unsealing, also one that is under way.

    Args:
        on_shut: called whenever no signer is there any more. on_sealed: with the index of the log's entry.
    """

    def __init__(self, book: Book, on_shut: Callable[[], None], on_sealed: Callable[[int], None]) -> None:
        super().__init__()
        self._book = book
        self._on_shut = on_shut
        self._on_sealed = on_sealed
        self._seals = 0
        #: rule → how often the keeper sealed by itself since its start
        self.automatic: dict[str, int] = {}
        self.why = "The service was started and waits for its holders."

    async def seal(self, reason: str, *, person: str = "", nonce: str = "", holder: str = "", rule: str = "") -> None:
        """Seals at once: the signers die, the PIN is wiped; then the log says so."""
        was_unsealed = self._shut()
        if not was_unsealed and not person and not holder:
            return
        self.why = f"Sealed: {reason}"
        if rule:
            self._tell(rule, reason)
        async with self._book.turn():
            index = await self._book.record(e.SealedBy(self._book.now(), reason, person, nonce, holder, rule))
        self._on_sealed(index)

    async def alarm(self, rule: str, reason: str) -> None:
        """Something is not what it was: seals at once."""
        log.error("alarm: %s", reason, extra={"rule": rule})
        if self.is_unsealed:
            await self.seal(f"alarm: {reason}", rule=rule)
        else:
            self._seals += 1  # an unsealing that is under way ends with it

    async def look(self) -> None:
        """Seals by itself where the terms or the policy say so. Nothing is signed from the moment it is due; what is
        being signed is finished, and a last checkpoint covers it, within seconds."""
        opening = self.opening
        if opening is None:
            return
        state = self._book.state
        found = due(opening, self._book.policy.sealing, now=self._book.now(), present_at=state.present_at)
        if found is None:
            return
        opening.end()
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_SECONDS):
                await opening.rest()
        if self.opening is not opening:
            return  # somebody sealed meanwhile
        self.why = f"Sealed: {found.reason}"
        self._tell(found.rule, found.reason)
        try:
            async with self._book.turn():
                index = await self._book.record(e.SealedBy(self._book.now(), found.reason, rule=found.rule))
            self._on_sealed(index)
            await self._last_checkpoint()
        finally:
            self._shut()

    def _shut(self) -> bool:
        """The signers die, the PIN is wiped. Returns whether there were any."""
        self._seals += 1  # an unsealing that is under way ends with it
        live, self._live = self._live, None
        if live is not None:
            live.close()
        self._on_shut()
        return live is not None

    def _tell(self, rule: str, reason: str) -> None:
        log.warning("sealed by itself: %s", reason, extra={"rule": rule})
        self.automatic[rule] = self.automatic.get(rule, 0) + 1

    async def _last_checkpoint(self) -> None:
        """Best effort: what has left should be provable while it is sealed."""
        with suppress(HsmpubError):
            await self._book.log.wait_checkpoint(self._book.log.size, LAST_SECONDS)
