"""What one holder may do alone, with a signature by their share: seal, and say that they are there."""

from __future__ import annotations

from hsmpub.errors import Invalid
from hsmpub.keeper.book import Book
from hsmpub.keeper.nonces import NONCE_SECONDS, Nonces
from hsmpub.keeper.unsealing import Unsealing
from hsmpub.model import entry as e
from hsmpub.model.holder_act import MAX_REASON, act_to_sign
from hsmpub.shares.verifier import check_holder_signature
from hsmpub.wire import messages as m


class ReasonTooLong(Invalid):
    advice = f"Say it in {MAX_REASON} characters; the log keeps it."


class Holding:
    def __init__(self, book: Book, unsealing: Unsealing) -> None:
        self._book = book
        self._unsealing = unsealing
        self._nonces = Nonces()

    def nonce(self) -> m.NonceReply:
        """A fresh nonce, to be signed within five minutes."""
        now = self._book.now()
        return m.NonceReply(
            self._nonces.give(now), now + NONCE_SECONDS, self._book.genesis.service, self._unsealing.record.epoch
        )

    async def seal(self, message: m.SealAsHolder) -> m.Done:
        """Seals at once.

        Raises:
            NonceOver, NonceUsed, ReasonTooLong, and the rules of hsmpub.shares.verifier.
        """
        if len(message.reason) > MAX_REASON:
            raise ReasonTooLong(f"The reason has over {MAX_REASON} characters.")
        self._use(message.holder, "seal", message.nonce, message.reason, message.signature)
        reason = message.reason or "asked for by a holder"
        await self._unsealing.seal(reason, holder=message.holder, nonce=message.nonce.hex())
        return m.Done("The service is sealed.")

    async def alive(self, message: m.SayAlive) -> m.Done:
        """Starts the dead-man's clock anew, as soon as the log has it. Raises as `seal`."""
        self._use(message.holder, "alive", message.nonce, "", message.signature)
        async with self._book.turn():
            await self._book.record(
                e.HolderPresent(
                    self._book.now(), message.holder, self._unsealing.record.epoch, message.nonce.hex(),
                    message.signature.hex(),
                )
            )  # fmt: skip
        return m.Done("Noted in the log.")

    def _use(self, holder: str, kind: str, nonce: bytes, reason: str, signature: bytes) -> None:
        """The signature is right and its nonce fresh; neither counts again."""
        now = self._book.now()
        self._nonces.check(nonce, now)
        payload = act_to_sign(self._book.genesis.service, nonce, reason)
        check_holder_signature(self._unsealing.record, holder, kind, payload, signature)
        self._nonces.use_up(nonce, now)
