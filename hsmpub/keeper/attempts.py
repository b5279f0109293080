"""The attempt to which holders hand in their shares, under the terms that each of them chooses.

One child gathers for all terms at once, and nothing is kept for terms under which no share is in. So whoever merely
asks takes up no room, each holder can begin terms of their own beside those of others, and nobody ends another's.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hsmpub.errors import Conflict, HsmpubError
from hsmpub.keeper.book import Book
from hsmpub.keeper.sealing import allowed_terms
from hsmpub.model import entry as e
from hsmpub.model.terms import Terms, dump_terms
from hsmpub.shares.attempt import UnsealAttempt
from hsmpub.shares.holder import attempt_to_sign
from hsmpub.shares.progress import group_progress
from hsmpub.shares.record import UnsealRecord
from hsmpub.wire import messages as m

ATTEMPT_SECONDS = 900


class AttemptOver(Conflict):
    advice = "Ask for the attempt that is open now and hand in your share again."
    retry_is_safe = True


class Attempts:
    """At most one attempt at a time; callers take turns."""

    def __init__(self, book: Book, record: UnsealRecord, identity: Ed25519PrivateKey) -> None:
        self._book = book
        self.record = record
        self._identity = identity
        self._attempt: UnsealAttempt | None = None
        #: terms (dumped) → themselves, of the attempt that is open
        self._terms: dict[bytes, Terms] = {}
        self.protections: Mapping[str, str] = {}

    @property
    def gathered(self) -> tuple[m.Gathered, ...]:
        """Shares that are in, by terms."""
        attempt = self._attempt
        if attempt is None or attempt.expires_at <= self._book.now() or not attempt.is_open:
            return ()
        return tuple(
            m.Gathered(self._terms[name], holders, group_progress(self.record, holders))
            for name, holders in attempt.by_terms.items()
        )

    async def reply(self, terms: Terms) -> m.AttemptReply:
        """The attempt under these terms, signed.

        Raises:
            TermsMalformed, UnsealTooLong, TermsNameNoProject.
        """
        terms = allowed_terms(terms, self._book.policy)
        attempt = await self._open()
        accepted = attempt.by_terms.get(dump_terms(terms), ())
        return m.AttemptReply(
            attempt=attempt.attempt,
            key=attempt.key,
            signature=self._identity.sign(attempt_to_sign(attempt.attempt, attempt.key, attempt.expires_at, terms)),
            keeper_key=self._identity.public_key().public_bytes_raw(),
            epoch=self.record.epoch,
            threshold=self.record.threshold,
            holders=tuple(h.name for h in self.record.holders),
            accepted=accepted,
            expires_at=attempt.expires_at,
            group_threshold=self.record.group_threshold,
            groups=group_progress(self.record, accepted),
            terms=terms,
            gathering=self.gathered,
        )

    async def hand_in(self, message: m.HandIn) -> tuple[UnsealAttempt, tuple[str, ...]]:
        """Takes or refuses one share, and logs it.

        Returns:
            The attempt, and the holders whose shares are in under these terms.

        Raises:
            AttemptOver, TermsMalformed, UnsealTooLong, TermsNameNoProject, and the rules of hsmpub.shares and the log.
        """
        attempt = await self._open()
        if message.attempt != attempt.attempt:
            raise AttemptOver("This unseal attempt is over.")
        if allowed_terms(message.terms, self._book.policy) != message.terms:
            raise AttemptOver("The policy limits an unsealing now, which this attempt does not.")
        terms = dump_terms(message.terms)
        accepted = await attempt.hand_in(message.holder, message.box, terms)
        self._terms = {name: kept for name, kept in self._terms.items() if name in attempt.by_terms}
        self._terms[terms] = message.terms
        await self._record_share(attempt, message)
        return attempt, accepted

    async def end(self) -> None:
        """Forgets what was handed in."""
        attempt, self._attempt = self._attempt, None
        self._terms = {}
        if attempt is not None:
            with contextlib.suppress(Exception):
                await attempt.close()

    async def _open(self) -> UnsealAttempt:
        now = self._book.now()
        attempt = self._attempt
        if attempt is not None and (attempt.expires_at <= now or not (attempt.is_open or attempt.is_complete)):
            await self.end()  # its time is over, or its child died
        if self._attempt is None:
            self._attempt = await UnsealAttempt.start(self.record, now=now, lifetime=ATTEMPT_SECONDS)
            self.protections = self._attempt.protections
        return self._attempt

    async def _record_share(self, attempt: UnsealAttempt, message: m.HandIn) -> None:
        try:
            async with self._book.turn():
                fact = e.ShareHandedIn(
                    self._book.now(), message.holder, self.record.epoch, attempt.attempt.hex(), message.terms
                )
                await self._book.record(fact)
        except HsmpubError:
            # The child has the share and cannot give it back: without this, its holder could not hand it in again.
            await self.end()
            raise
