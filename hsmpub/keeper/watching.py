"""The keeper's eye on itself: are the terms over, is somebody there, is everything still what it was?"""

from __future__ import annotations

import asyncio
import logging
import time

from hsmpub.errors import HsmpubError
from hsmpub.hsm.rules import KeyChanged, KeyMissing, PinRefused, SignatureNotVerified
from hsmpub.keeper.book import Book, StatementAltered
from hsmpub.keeper.unsealing import Unsealing
from hsmpub.tlog.rules import LOG_BROKEN

log = logging.getLogger("hsmpub.keeper")

WATCH_SECONDS = 1.0
#: What shows that somebody touched the token, or the log.
TOKEN_TOUCHED = (PinRefused, KeyChanged, KeyMissing, SignatureNotVerified)
LOG_TOUCHED = (*LOG_BROKEN, StatementAltered)


class Watching:
    """Seals by itself. One at a time; `run` for ever."""

    def __init__(self, book: Book, unsealing: Unsealing) -> None:
        self._book = book
        self._unsealing = unsealing
        self._checked = time.monotonic()
        #: why the last look at token and log found nothing out; empty when it did
        self.trouble = ""

    async def run(self) -> None:
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            try:
                await self._unsealing.look()
                if time.monotonic() - self._checked >= self._book.policy.sealing.recheck:
                    await self.recheck()
            except HsmpubError as error:  # the disk may be full now; sealed it is all the same
                log.warning("the watch goes on: %s", error.detail, extra={"rule": error.rule})
            except Exception:
                log.exception("the watch failed; it goes on")

    async def recheck(self) -> None:
        """Looks at log and token anew, and seals when one of them is not what it was."""
        self._checked = time.monotonic()
        try:
            self._book.log.recheck()
        except LOG_TOUCHED as error:
            await self._unsealing.alarm(error.rule, error.detail)
            return
        if not self._unsealing.is_unsealed:
            return
        try:
            await self._unsealing.signers().recheck()
            self.trouble = ""
        except TOKEN_TOUCHED as error:
            await self._unsealing.alarm(error.rule, error.detail)
        except HsmpubError as error:  # the token may be away for a while: nothing is known then
            self.trouble = error.detail
            log.warning("keys and PIN could not be looked at again: %s", error.detail, extra={"rule": error.rule})

    async def notice(self, error: HsmpubError) -> None:
        """Somebody met this error while they worked: one that shows tampering seals."""
        if isinstance(error, LOG_TOUCHED):
            await self._unsealing.alarm(error.rule, error.detail)
