"""The keeper's one door: each message of the closed sets goes to the part that answers it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hsmpub.errors import HsmpubError
from hsmpub.home import Home
from hsmpub.hsm.config import HsmConfig
from hsmpub.keeper.approving import Approving
from hsmpub.keeper.artifacts import Artifacts
from hsmpub.keeper.bearers import Bearers
from hsmpub.keeper.book import Book
from hsmpub.keeper.clock import KernelClock, TimeGuard, elapsed, kernel_clock
from hsmpub.keeper.confirming import Confirming
from hsmpub.keeper.credentials import Credentials
from hsmpub.keeper.decrypting import Decrypting
from hsmpub.keeper.drilling import Drilling
from hsmpub.keeper.executing import Executing
from hsmpub.keeper.holding import Holding
from hsmpub.keeper.issuers import Issuers
from hsmpub.keeper.permitting import Permitting
from hsmpub.keeper.places import MAX_OF_ONE, Portions
from hsmpub.keeper.publishing import Publishing
from hsmpub.keeper.quorum_watch import QuorumWatch
from hsmpub.keeper.routine import Routine
from hsmpub.keeper.sessions import Session, Sessions
from hsmpub.keeper.status import Status
from hsmpub.keeper.submitting import Submitting
from hsmpub.keeper.timestamping import TimestampAuthority
from hsmpub.keeper.tokens import Tokens
from hsmpub.keeper.transcripts import Transcripts
from hsmpub.keeper.unsealing import Unsealing
from hsmpub.keeper.upgrading import Upgrading
from hsmpub.keeper.views import Views
from hsmpub.keeper.watching import LOG_TOUCHED, Watching
from hsmpub.model import submission as s
from hsmpub.shares.pending import PendingSets
from hsmpub.shares.record import Purpose, RecoveryRecord, UnsealRecord
from hsmpub.tlog.log import Log
from hsmpub.tlog.note import NoteSigner
from hsmpub.wire import messages as m

log = logging.getLogger("hsmpub.keeper")

SWEEP_SECONDS = 5


@dataclass(frozen=True)
class KeeperParts:
    """What a keeper is started with. clock: seconds since 1970; kernel: what is known of it; ticks: elapsed time.
    generation: see hsmpub.keeper.upgrading. pending: sets of shares that wait for their holders.
    """

    home: Home
    log: Log
    record: UnsealRecord
    recovery: RecoveryRecord
    hsm: HsmConfig
    identity: Ed25519PrivateKey
    workers: int
    protections: dict[str, str]
    clock: Callable[[], float] = time.time
    kernel: Callable[[], KernelClock] = kernel_clock
    ticks: Callable[[], float] = elapsed
    generation: int = 0
    pending: PendingSets | None = None


class Keeper:
    """Answers both channels."""

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
        self.submitting = Submitting(book, artifacts, credentials, self.decrypting)
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

    async def front(self, message: m.FrontMessage) -> m.FrontReply:
        """Answers the front. Whatever it says counts only as far as it is proven by its own bytes."""
        try:
            return await self._front(message)
        except LOG_TOUCHED as error:
            await self.watching.notice(error)
            raise

    async def courier(self, message: m.CourierMessage) -> m.CourierReply:
        """Answers the courier and its children."""
        try:
            return await self._courier(message)
        except LOG_TOUCHED as error:
            await self.watching.notice(error)
            raise

    async def _front(self, message: m.FrontMessage) -> m.FrontReply:
        match message:
            case m.Submit():
                return await self._submit(message)
            case m.GetStatus():
                return self.status.reply()
            case m.GetKeys():
                return self.status.keys(message.nonce)
            case m.GetReady():
                return await self.status.ready()
            case m.OpenSession():
                return await self.sessions.open(message)
            case m.OpenBearer():
                return await self.bearers.open(message)
            case m.LookUpBearer():
                return self.bearers.look_up(message.bearer)
            case m.RevokeBearer():
                self.bearers.revoke(message.bearer)
                return m.Done()
            case m.SignDigests():
                self.status.count("hsmpub_routine_files_total", len(message.items))
                return await self.bearers.sign(message)
            case m.AskTimestamp():
                return await self.timestamps.answer(message)
            case m.GetKey():
                return self.views.key(message.name)
            case m.SubmitPersonal():
                return await self._personal(message)
            case m.Approve():
                request = await self.approving.approve(message)
                self.executing.start(request)
                return self.views.one(request)
            case m.Decline():
                return self.views.one(await self.approving.decline(message))
            case m.GetRequest():
                return self.views.one(self.book.request(message.request))
            case m.ListRequests():
                return self.views.many(message.open_only)
            case m.GetAttempt():
                return await self.unsealing.attempt(message.terms)
            case m.HandIn():
                return await self.unsealing.hand_in(message)
            case m.GetNonce():
                return self.holding.nonce()
            case m.SealAsHolder():
                return await self.holding.seal(message)
            case m.SayAlive():
                return await self.holding.alive(message)
            case m.Confirm():
                return self.confirming.confirm(message)
            case m.GetUpgrade():
                return self.permitting.view()
            case m.PermitUpgrade():
                return await self.permitting.permit(message)
            case m.GetDrill():
                return await self.drilling.attempt(message)
            case m.HandInDrill():
                return await self.drilling.hand_in(message)
            case _:
                assert_never(message)

    async def _courier(self, message: m.CourierMessage) -> m.CourierReply:
        match message:
            case m.GetJobs():
                return self.publishing.jobs()
            case m.BeginAttempt():
                return await self.publishing.begin(message)
            case m.RecordOutcome():
                await self.publishing.record(message)
                return m.Done()
            case m.GetIssuers():
                return self.issuers.list(message)
            case m.OfferIssuerKeys():
                await self.issuers.offer(message)
                return m.Done()
            case _:
                assert_never(message)

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
        self.submitting.forget()
        self.timestamps.look()
        if self.unsealing.is_unsealed:
            self.executing.start_due()

    async def close(self) -> None:
        self.artifacts.close()
        await self.unsealing.close()
        await self.drilling.close()
        self.book.log.close()

    async def _submit(self, message: m.Submit) -> m.FrontReply:
        session = self.sessions.authenticate(message)
        body = s.load_ci_submission(message.body)
        with self._reading.taken((session.who.issuer, session.who.subject) if body.files else None):
            return await self._ask(session, body)

    async def _ask(self, session: Session, body: s.CiBody) -> m.FrontReply:
        if isinstance(body, s.AskSign):
            self.status.count("hsmpub_routine_files_total", len(body.states) + len(body.files))
            return await self.routine.sign(session, body)
        request = await self.submitting.release(session, body)
        self.executing.start(request)
        return self.views.one(request)

    async def _personal(self, message: m.SubmitPersonal) -> m.FrontReply:
        body = s.load_personal_submission(message.body)
        if isinstance(body, s.AskHeader):
            self.submitting.use_up(body, message.body, message.signature)
            return m.HeaderReply(self.decrypting.header_for(body))
        if isinstance(body, s.AskSeal):
            self.submitting.use_up(body, message.body, message.signature)
            await self.unsealing.seal(body.reason or "asked for", person=body.person, nonce=body.nonce)
            return m.Done("The service is sealed.")
        request = await self.submitting.personal(body, message.body, message.signature)
        self.executing.start(request)
        return self.views.one(request)

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
