"""From sealed to unsealed: from the last share to the signers at work."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hsmpub.errors import Conflict, HsmpubError, Unavailable
from hsmpub.hsm.config import HsmConfig
from hsmpub.hsm.rules import PinRefused
from hsmpub.keeper.attempts import Attempts
from hsmpub.keeper.book import Book
from hsmpub.keeper.closing import Closing
from hsmpub.keeper.live import Live
from hsmpub.model import entry as e
from hsmpub.model.terms import UNLIMITED, Terms, say_terms
from hsmpub.secret.page import SecretPage
from hsmpub.shares.attempt import UnsealAttempt
from hsmpub.shares.progress import group_progress
from hsmpub.shares.record import UnsealRecord
from hsmpub.tlog.rules import LogUnavailable
from hsmpub.wire import messages as m

log = logging.getLogger("hsmpub.keeper")


class AlreadyUnsealed(Conflict):
    advice = "Nothing is to be done."


class HsmDidNotOpen(Unavailable):
    advice = "The quorum was right. See 'hsmpub status' for what the HSM says, then hand the shares in again."


class SealedMeanwhile(Conflict):
    advice = "Find out why it was sealed, then hand the shares in again."


class EpochDiffers(Conflict):
    advice = "The unseal record and the log speak of different epochs: restore the record of this epoch."


class Unsealing(Closing):
    """Holds the signers while unsealed, and nothing while sealed. A restart begins sealed.

    Args:
        on_unsealed: called with the index of the log's entry (-1: it went on in new code).
        on_shut: called whenever no signer is there any more. on_sealed: with the index of the log's entry.
    """

    def __init__(
        self,
        book: Book,
        record: UnsealRecord,
        hsm: HsmConfig,
        identity: Ed25519PrivateKey,
        *,
        workers: int,
        on_unsealed: Callable[[int], Awaitable[None]],
        on_shut: Callable[[], None],
        on_sealed: Callable[[int], None],
    ) -> None:
        if record.epoch != book.state.epoch:
            raise EpochDiffers(f"The log is in epoch {book.state.epoch}, the unseal record in {record.epoch}.")
        super().__init__(book, on_shut, on_sealed)
        self.record = record
        self._hsm = hsm
        self._workers = workers
        self._on_unsealed = on_unsealed
        self.attempts = Attempts(book, record, identity)
        self._turn = asyncio.Lock()
        self._seen: dict[str, str] = {}

    @property
    def protections(self) -> dict[str, str]:
        """What is off in the children that met shares or the PIN: `unsealer: files` → why."""
        return {name: why for name, why in self._seen.items() if why != "on"}

    async def attempt(self, terms: Terms = UNLIMITED) -> m.AttemptReply:
        """The open attempt under these terms; opens one when there is none or its time is over.

        Raises:
            AlreadyUnsealed, and the rules of hsmpub.keeper.attempts.
        """
        async with self._turn:
            self._check_sealed()
            reply = await self.attempts.reply(terms)
            self._seen |= {f"unsealer: {name}": why for name, why in self.attempts.protections.items()}
            return reply

    async def hand_in(self, message: m.HandIn) -> m.HandInReply:
        """Takes or refuses one share at once; with the last one needed the HSM is opened.

        Raises:
            AlreadyUnsealed, HsmDidNotOpen, and the rules of hsmpub.keeper.attempts.
        """
        async with self._turn:
            self._check_sealed()
            try:
                attempt, accepted = await self.attempts.hand_in(message)
            except LogUnavailable:
                self.why = "The log could not take a share: everybody hands in again."
                raise
            if attempt.is_complete:
                await self._unseal(attempt, message.terms, accepted)
            return m.HandInReply(
                holder=message.holder,
                accepted=accepted,
                threshold=self.record.threshold,
                state="unsealed" if self.is_unsealed else "sealed",
                group_threshold=self.record.group_threshold,
                groups=group_progress(self.record, accepted),
            )

    async def resume(self, pin: SecretPage) -> None:
        """Goes on where the log says that an earlier program of this process was. Raises the rules of hsmpub.hsm."""
        await self._open(await self._start(pin), -1)

    async def close(self) -> None:
        """Ends without a word in the log: the process stops, which seals as well."""
        if self._live is not None:
            self._live.close()
        await self.attempts.end()

    def _check_sealed(self) -> None:
        if self.is_unsealed:
            raise AlreadyUnsealed("The service is unsealed already.")

    async def _unseal(self, attempt: UnsealAttempt, terms: Terms, holders: tuple[str, ...]) -> None:
        pin, seals = SecretPage(), self._seals
        try:
            await attempt.take_pin(pin)
            live = await self._start(pin)
        except HsmpubError as error:
            pin.close()
            self.why = f"The HSM did not open: {error.detail}"
            log.error("the HSM did not open: %s", error.detail, extra={"rule": error.rule})
            raise HsmDidNotOpen(
                f"The quorum is complete, but the HSM did not open: {error.detail}",
                next_step=error.next_step if isinstance(error, PinRefused) else None,
            ) from error
        finally:
            await self.attempts.end()
        try:
            async with self._book.turn():
                self._check_not_sealed_since(seals)
                fact = e.UnsealedBy(self._book.now(), holders, self.record.epoch, attempt.attempt.hex(), terms)
                index = await self._book.record(fact)
                self._check_not_sealed_since(seals)
        except BaseException:  # what the log does not know has not happened
            live.close()
            self.why = "The service was sealed, or its log failed, while it was unsealed: everybody hands in again."
            raise
        await self._open(live, index)

    async def _start(self, pin: SecretPage) -> Live:
        return await Live.start(self._book, self._hsm, pin, workers=self._workers, on_alarm=self._alarm)

    async def _open(self, live: Live, index: int) -> None:
        """The log says that it is unsealed: from here on it is. index: of the entry; -1 for one that went on."""
        opened = live.open(self._book).opened
        self._live, self.why = live, ""
        log.info("unsealed %s by %s", say_terms(opened.terms), ", ".join(opened.holders))
        self._seen |= live.protections
        await self._on_unsealed(index)

    def _check_not_sealed_since(self, seals: int) -> None:
        if self._seals != seals:
            raise SealedMeanwhile("The quorum is complete, but the service was sealed meanwhile.")

    def _alarm(self, reason: str) -> None:
        self._alarm_task = asyncio.get_running_loop().create_task(self.alarm("hsm-alarm", reason))
