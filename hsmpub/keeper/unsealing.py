"""Sealed and unsealed: from the last share to the signers at work, and from there to sealed again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hsmpub.errors import Conflict, HsmpubError, Sealed, Unavailable
from hsmpub.hsm.config import HsmConfig
from hsmpub.hsm.pool import Signers
from hsmpub.hsm.rules import PinRefused
from hsmpub.keeper.attempts import Attempts
from hsmpub.keeper.book import Book
from hsmpub.keeper.live import Live
from hsmpub.keeper.opening import Opening
from hsmpub.keeper.sealing import due
from hsmpub.model import entry as e
from hsmpub.model.terms import UNLIMITED, Terms, say_terms
from hsmpub.secret.page import SecretPage
from hsmpub.shares.attempt import UnsealAttempt
from hsmpub.shares.progress import group_progress
from hsmpub.shares.record import UnsealRecord
from hsmpub.tlog.rules import LogUnavailable
from hsmpub.wire import messages as m

log = logging.getLogger("hsmpub.keeper")

#: Seconds for what is being signed when an unsealing ends by itself, and for the checkpoint that covers it.
LAST_SECONDS = 2.0


class AlreadyUnsealed(Conflict):
    advice = "Nothing is to be done."


class HsmDidNotOpen(Unavailable):
    advice = "The quorum was right. See 'hsmpub status' for what the HSM says, then hand the shares in again."


class SealedMeanwhile(Conflict):
    advice = "Find out why it was sealed, then hand the shares in again."


class EpochDiffers(Conflict):
    advice = "The unseal record and the log speak of different epochs: restore the record of this epoch."


class Unsealing:
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
        self._book = book
        self.record = record
        self._hsm = hsm
        self._workers = workers
        self._on_unsealed = on_unsealed
        self._on_shut = on_shut
        self._on_sealed = on_sealed
        self.attempts = Attempts(book, record, identity)
        self._live: Live | None = None
        self._turn = asyncio.Lock()
        self._seals = 0
        self._seen: dict[str, str] = {}
        #: rule → how often the keeper sealed by itself since its start
        self.automatic: dict[str, int] = {}
        self.why = "The service was started and waits for its holders."

    @property
    def protections(self) -> dict[str, str]:
        """What is off in the children that met shares or the PIN: `unsealer: files` → why."""
        return {name: why for name, why in self._seen.items() if why != "on"}

    @property
    def is_unsealed(self) -> bool:
        return self._live is not None

    @property
    def opening(self) -> Opening | None:
        """What this unsealing allows; None while sealed."""
        return None if self._live is None else self._live.opening

    @property
    def alive(self) -> int:
        """Signers at work."""
        return 0 if self._live is None else self._live.signers.alive

    @property
    def pin(self) -> SecretPage | None:
        """For the program that this process turns into, and for nobody else."""
        return None if self._live is None else self._live.pin

    @property
    def fewer(self) -> str:
        """Why fewer signers are at work than were asked for, or empty."""
        return "" if self._live is None else self._live.signers.fewer

    @property
    def log_signers(self) -> Signers | None:
        """For the log key, which terms do not count; None while sealed."""
        return None if self._live is None else self._live.signers

    def live(self) -> tuple[Signers, Opening]:
        """Raises Sealed, UnsealTimeOver."""
        if self._live is None or self._live.opening is None:
            raise Sealed("The service is sealed.")
        self._live.opening.check_time()
        return self._live.signers, self._live.opening

    def signers(self) -> Signers:
        """For what the terms do not count. Raises Sealed, UnsealTimeOver."""
        return self.live()[0]

    def is_for(self, project: str) -> bool:
        """Whether the terms name this project, or none."""
        projects = self.opening.opened.terms.projects if self.opening else ()
        return projects is None or project in projects

    def check_project(self, project: str) -> None:
        """Raises Sealed, UnsealTimeOver, ProjectNotUnsealed."""
        self.live()[1].check_project(project)

    def check_whole(self, what: str) -> None:
        """What belongs to no project waits while the terms name some.

        Raises:
            Sealed, UnsealTimeOver, ProjectNotUnsealed.
        """
        self.live()[1].check_whole(what)

    @contextmanager
    def signing(self, project: str, count: int) -> Iterator[Signers]:
        """So many signatures may be made, logged and let go inside.

        Raises:
            Sealed, UnsealTimeOver, ProjectNotUnsealed, TooFewSignaturesLeft.
        """
        signers, opening = self.live()
        with opening.signing(project, count):
            yield signers

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

    async def resume(self, pin: SecretPage) -> None:
        """Goes on where the log says that an earlier program of this process was. Raises the rules of hsmpub.hsm."""
        await self._open(await self._start(pin), -1)

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

    async def close(self) -> None:
        """Ends without a word in the log: the process stops, which seals as well."""
        if self._live is not None:
            self._live.close()
        await self.attempts.end()

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
