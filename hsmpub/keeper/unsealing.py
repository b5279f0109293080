"""Sealed and unsealed: the attempt to which holders hand in their shares, and the signers it brings to life."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hsmpub.errors import Conflict, HsmpubError, Sealed, Unavailable
from hsmpub.hsm.config import HsmConfig
from hsmpub.hsm.pool import Signers
from hsmpub.hsm.rules import PinRefused
from hsmpub.keeper.book import Book
from hsmpub.model import entry as e
from hsmpub.secret.page import SecretPage
from hsmpub.shares.attempt import UnsealAttempt
from hsmpub.shares.holder import attempt_to_sign
from hsmpub.shares.progress import group_progress
from hsmpub.shares.record import UnsealRecord
from hsmpub.wire import messages as m

log = logging.getLogger("hsmpub.keeper")

ATTEMPT_SECONDS = 900


class AlreadyUnsealed(Conflict):
    advice = "Nothing is to be done."


class AttemptOver(Conflict):
    advice = "Ask for the attempt that is open now and hand in your share again."
    retry_is_safe = True


class HsmDidNotOpen(Unavailable):
    advice = "The quorum was right. See 'hsmpub status' for what the HSM says, then hand the shares in again."


class SealedMeanwhile(Conflict):
    advice = "Find out why it was sealed, then hand the shares in again."


class EpochDiffers(Conflict):
    advice = "The unseal record and the log speak of different epochs: restore the record of this epoch."


class Unsealing:
    """Holds the signers while unsealed, and nothing while sealed. A restart begins sealed."""

    def __init__(
        self,
        book: Book,
        record: UnsealRecord,
        hsm: HsmConfig,
        identity: Ed25519PrivateKey,
        *,
        workers: int,
        on_unsealed: Callable[[], Awaitable[None]],
        on_sealed: Callable[[], None],
    ) -> None:
        if record.epoch != book.state.epoch:
            raise EpochDiffers(f"The log is in epoch {book.state.epoch}, the unseal record in {record.epoch}.")
        self._book = book
        self.record = record
        self._hsm = hsm
        self._identity = identity
        self._workers = workers
        self._on_unsealed = on_unsealed
        self._on_sealed = on_sealed
        self._attempt: UnsealAttempt | None = None
        self._signers: Signers | None = None
        self._pin: SecretPage | None = None
        self._turn = asyncio.Lock()
        self._seals = 0
        self._seen: dict[str, str] = {}
        self.why = "The service was started and waits for its holders."

    @property
    def protections(self) -> dict[str, str]:
        """What is off in the children that met shares or the PIN: `unsealer: files` → why."""
        return {name: why for name, why in self._seen.items() if why != "on"}

    @property
    def is_unsealed(self) -> bool:
        return self._signers is not None

    def signers(self) -> Signers:
        """Raises Sealed."""
        if self._signers is None:
            raise Sealed("The service is sealed.")
        return self._signers

    async def attempt(self) -> m.AttemptReply:
        """The open attempt; opens one when there is none or its time is over.

        Raises:
            AlreadyUnsealed.
        """
        async with self._turn:
            attempt = await self._open_attempt()
            return self._reply(attempt)

    async def hand_in(self, message: m.HandIn) -> m.HandInReply:
        """Takes or refuses one share at once; with the last one needed the HSM is opened.

        Raises:
            AlreadyUnsealed, AttemptOver, HsmDidNotOpen, and the rules of hsmpub.shares.
        """
        async with self._turn:
            attempt = await self._open_attempt()
            if message.attempt != attempt.attempt:
                raise AttemptOver("This unseal attempt is over.")
            accepted = await attempt.hand_in(message.holder, message.box)
            await self._record_share(attempt, message.holder)
            if attempt.is_complete:
                await self._unseal(attempt)
            return m.HandInReply(
                holder=message.holder,
                accepted=accepted,
                threshold=self.record.threshold,
                state="unsealed" if self.is_unsealed else "sealed",
                group_threshold=self.record.group_threshold,
                groups=group_progress(self.record, accepted),
            )

    async def seal(self, reason: str, person: str = "", nonce: str = "") -> None:
        """Seals at once: the signers die, the PIN is wiped; then the log says so."""
        self._seals += 1  # an unsealing that is under way ends with it
        signers, self._signers = self._signers, None
        pin, self._pin = self._pin, None
        if signers is not None:
            signers.close()
        if pin is not None:
            pin.close()
        self._on_sealed()
        if signers is None and not person:
            return
        self.why = f"Sealed: {reason}"
        async with self._book.turn():
            await self._book.record(e.SealedBy(self._book.now(), reason, person, nonce))

    async def close(self) -> None:
        """Ends without a word in the log: the process stops, which seals as well."""
        if self._signers is not None:
            self._signers.close()
        if self._pin is not None:
            self._pin.close()
        if self._attempt is not None:
            await self._attempt.close()

    async def _open_attempt(self) -> UnsealAttempt:
        if self.is_unsealed:
            raise AlreadyUnsealed("The service is unsealed already.")
        now = self._book.now()
        attempt = self._attempt
        if attempt is not None and (attempt.expires_at <= now or not (attempt.is_open or attempt.is_complete)):
            await self._end_attempt()  # its time is over, or its child died
        if self._attempt is None:
            self._attempt = await UnsealAttempt.start(self.record, now=now, lifetime=ATTEMPT_SECONDS)
            self._see("unsealer", self._attempt.protections)
        return self._attempt

    async def _end_attempt(self) -> None:
        attempt, self._attempt = self._attempt, None
        if attempt is not None:
            with contextlib.suppress(Exception):
                await attempt.close()

    def _see(self, who: str, protections: Mapping[str, str]) -> None:
        self._seen |= {f"{who}: {name}": why for name, why in protections.items()}

    async def _record_share(self, attempt: UnsealAttempt, holder: str) -> None:
        try:
            async with self._book.turn():
                fact = e.ShareHandedIn(self._book.now(), holder, self.record.epoch, attempt.attempt.hex())
                await self._book.record(fact)
        except HsmpubError:
            # The child has the share and cannot give it back: without this, its holder could not hand it in again.
            self.why = "The log could not take a share: everybody hands in again."
            await self._end_attempt()
            raise

    async def _unseal(self, attempt: UnsealAttempt) -> None:
        pin, seals = SecretPage(), self._seals
        try:
            await attempt.take_pin(pin)
            signers = await Signers.start(
                self._hsm, self._book.genesis.keys, pin, workers=self._workers, on_alarm=self._alarm
            )
        except HsmpubError as error:
            pin.close()
            self.why = f"The HSM did not open: {error.detail}"
            log.error("the HSM did not open: %s", error.detail, extra={"rule": error.rule})
            raise HsmDidNotOpen(
                f"The quorum is complete, but the HSM did not open: {error.detail}",
                next_step=error.next_step if isinstance(error, PinRefused) else None,
            ) from error
        finally:
            await self._end_attempt()
        try:
            await self._record_unsealing(attempt, seals)
        except BaseException:  # what the log does not know has not happened
            signers.close()
            pin.close()
            self.why = "The service was sealed, or its log failed, while it was unsealed: everybody hands in again."
            raise
        self._signers, self._pin, self.why = signers, pin, ""
        self._see("signer", signers.protections)
        memory = "on" if pin.protection == "memfd_secret" else f"only {pin.protection}"
        self._see("keeper", {"secret memory": memory})
        await self._on_unsealed()

    async def _record_unsealing(self, attempt: UnsealAttempt, seals: int) -> None:
        """Logs it, unless somebody has sealed since. Raises SealedMeanwhile, and the rules of the log."""
        async with self._book.turn():
            fact = e.UnsealedBy(self._book.now(), attempt.accepted, self.record.epoch, attempt.attempt.hex())
            self._check_not_sealed_since(seals)
            await self._book.record(fact)
            self._check_not_sealed_since(seals)

    def _check_not_sealed_since(self, seals: int) -> None:
        if self._seals != seals:
            raise SealedMeanwhile("The quorum is complete, but the service was sealed meanwhile.")

    def _alarm(self, reason: str) -> None:
        log.error("alarm: %s", reason)
        self._alarm_task = asyncio.get_running_loop().create_task(self.seal(f"alarm: {reason}"))

    def _reply(self, attempt: UnsealAttempt) -> m.AttemptReply:
        body = attempt_to_sign(attempt.attempt, attempt.key, attempt.expires_at)
        return m.AttemptReply(
            attempt=attempt.attempt,
            key=attempt.key,
            signature=self._identity.sign(body),
            keeper_key=self._identity.public_key().public_bytes_raw(),
            epoch=self.record.epoch,
            threshold=self.record.threshold,
            holders=tuple(h.name for h in self.record.holders),
            accepted=tuple(attempt.accepted),
            expires_at=attempt.expires_at,
            group_threshold=self.record.group_threshold,
            groups=group_progress(self.record, attempt.accepted),
        )
