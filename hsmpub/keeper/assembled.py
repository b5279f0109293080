"""The parts of a keeper, wired to each other, and what they do without being asked."""

from __future__ import annotations

import asyncio
import logging

from hsmpub.errors import HsmpubError
from hsmpub.keeper.approving import Approving
from hsmpub.keeper.artifacts import Artifacts
from hsmpub.keeper.bearers import Bearers
from hsmpub.keeper.book import Book
from hsmpub.keeper.clock import TimeGuard
from hsmpub.keeper.confirming import Confirming
from hsmpub.keeper.credentials import Credentials
from hsmpub.keeper.decrypting import Decrypting
from hsmpub.keeper.drilling import Drilling
from hsmpub.keeper.executing import Executing
from hsmpub.keeper.holding import Holding
from hsmpub.keeper.issuers import Issuers
from hsmpub.keeper.parts import KeeperParts
from hsmpub.keeper.permitting import Permitting
from hsmpub.keeper.personal import Personal
from hsmpub.keeper.places import MAX_OF_ONE, Portions
from hsmpub.keeper.publishing import Publishing
from hsmpub.keeper.quorum_watch import QuorumWatch
from hsmpub.keeper.routine import Routine
from hsmpub.keeper.sessions import Sessions
from hsmpub.keeper.status import Status
from hsmpub.keeper.submitting import Submitting
from hsmpub.keeper.timestamping import TimestampAuthority
from hsmpub.keeper.tokens import Tokens
from hsmpub.keeper.transcripts import Transcripts
from hsmpub.keeper.unsealing import Unsealing
from hsmpub.keeper.upgrading import Upgrading
from hsmpub.keeper.views import Views
from hsmpub.keeper.watching import Watching
from hsmpub.shares.record import Purpose, RecoveryRecord, UnsealRecord
from hsmpub.tlog.note import NoteSigner

log = logging.getLogger("hsmpub.keeper")

SWEEP_SECONDS = 5


class Assembled:
    """All that answers; who asks what is for `hsmpub.keeper.service`."""

    def __init__(self, parts: KeeperParts) -> None:
        self.book = book = Book(parts.log, parts.clock)
        self.unsealing = Unsealing(
            book,
            parts.record,
            parts.hsm,
            parts.identity,
            workers=parts.workers,
            on_unsealed=self._unsealed,
            on_shut=parts.log.stop_checkpoints,
            on_sealed=lambda index: self.transcripts.sealed(index),
        )
        self.transcripts = Transcripts(parts.home.ceremonies, book, parts.record, parts.identity)
        self.holding = Holding(book, self.unsealing)
        self.permitting = Permitting(book, self.unsealing)
        self.upgrading = Upgrading(
            book, self.unsealing, self.permitting, parts.home.root, parts.generation, self._resumed
        )
        self.drilling = Drilling(
            book, parts.record, parts.recovery, parts.identity, parts.home.ceremonies, self._log_signature
        )
        self.artifacts = artifacts = Artifacts(parts.home.artifacts, parts.home.keeper)
        credentials = Credentials(parts.home.sealed_credentials, self.unsealing, parts.identity)
        self.approving = Approving(book)
        tokens = Tokens(book)
        self.sessions = Sessions(book, tokens, parts.identity)
        self.decrypting = Decrypting(book, self.unsealing, parts.home.headers)
        self.submitting = Submitting(book, artifacts)
        self.personal = Personal(book, credentials, self.decrypting)
        self.executing = Executing(
            book, self.approving, artifacts, self.unsealing, self.decrypting, self._adopted, self._met
        )
        self.routine = Routine(book, artifacts, self.unsealing)
        self._reading = Portions(MAX_OF_ONE)
        self.bearers = Bearers(book, tokens, self.routine)
        guard = TimeGuard(parts.clock, kernel=parts.kernel, ticks=parts.ticks)
        self.timestamps = TimestampAuthority(book, self.bearers, self.unsealing, guard)
        self.publishing = Publishing(book, self.approving, credentials, self.unsealing)
        self.issuers = Issuers(book)
        self.views = Views(book, self.approving, self.executing)
        self.watching = Watching(book, self.unsealing)
        sets: dict[Purpose, UnsealRecord | RecoveryRecord] = {"unseal": parts.record, "recovery": parts.recovery}
        self.confirming = Confirming(parts.home.confirmations, sets, parts.pending)
        watch = QuorumWatch(book, self.confirming)
        self.status = Status(
            book, self.unsealing, self.issuers, credentials, self._trouble, parts.identity, parts.protections, watch,
            self.timestamps,
        )  # fmt: skip
        self._log_key = next(key.name for key in book.genesis.keys if key.kind == "ed25519")

    async def sweep(self) -> None:
        """Ends what has expired and starts what became ready; runs for ever."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            try:
                await self.sweep_once()
            except HsmpubError as error:  # the disk may be full now; there is a next time
                log.warning("the sweep waits: %s", error.detail, extra={"rule": error.rule})
            except Exception:
                log.exception("the sweep failed; it goes on")

    async def sweep_once(self) -> None:
        """Raises LogUnavailable."""
        await self.approving.expire()
        self.decrypting.forget()
        self.personal.forget()
        self.timestamps.look()
        if self.unsealing.is_unsealed:
            self.executing.start_due()

    async def close(self) -> None:
        self.artifacts.close()
        await self.unsealing.close()
        await self.drilling.close()
        self.book.log.close()

    def _trouble(self) -> list[str]:
        """What the keeper could not do for itself; `hsmpub status` warns of it."""
        found = {
            "keys and PIN could not be looked at again": self.watching.trouble,
            "a transcript could not be written": self.transcripts.trouble,
        }
        return [f"{what}: {why}" for what, why in found.items() if why]

    async def _met(self, error: HsmpubError) -> None:
        await self.watching.notice(error)

    def _adopted(self) -> None:
        self.sessions.forget_decisions()
        self.bearers.forget_decisions()

    async def _unsealed(self, index: int) -> None:
        sign = self._log_signature()
        assert sign is not None  # it was unsealed just now
        self.book.log.start_checkpoints(sign)
        if index >= 0:
            await self.transcripts.unsealed(index, sign)
        self.executing.start_all()

    async def _resumed(self, permitted: int, index: int) -> None:
        sign = self._log_signature()
        assert sign is not None  # it went on unsealed
        await self.transcripts.resumed(permitted, index, sign)

    def _log_signature(self) -> NoteSigner | None:
        """The signature function of the log key in the HSM; None while sealed."""
        signers = self.unsealing.log_signers
        if signers is None:
            return None

        async def sign(message: bytes) -> bytes:
            [signature] = await signers.sign(self._log_key, [message], hash="none")
            return signature

        return sign
