"""One quorum's drill, from the first share to the evidence."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hsmpub.errors import HsmpubError
from hsmpub.keeper.attempts import ATTEMPT_SECONDS, AttemptOver
from hsmpub.keeper.book import Book
from hsmpub.model import entry as e
from hsmpub.model.digest import sha256_hex
from hsmpub.shares.drill import DrillAttempt, drill_to_sign
from hsmpub.shares.progress import group_progress, progress_text
from hsmpub.shares.record import RecoveryRecord, UnsealRecord
from hsmpub.tlog.note import NoteSigner
from hsmpub.transcript.record import Recorder, Signer
from hsmpub.transcript.shelf import put_transcript, take_back
from hsmpub.wire import messages as m

log = logging.getLogger("hsmpub.keeper")


class Drill:
    """The drills of one quorum, one after the other."""

    def __init__(
        self, quorum: m.QuorumName, record: UnsealRecord | RecoveryRecord, book: Book, identity: Ed25519PrivateKey,
        shelf: Path,
    ) -> None:  # fmt: skip
        self._quorum: m.QuorumName = quorum
        self._record = record
        self._book = book
        self._identity = identity
        self._public = identity.public_key().public_bytes_raw()
        self._shelf = shelf
        self._open: tuple[DrillAttempt, Recorder] | None = None
        self._turn = asyncio.Lock()

    async def attempt(self) -> m.DrillReply:
        async with self._turn:
            drill, _ = await self._begin()
            return self._reply(drill)

    async def hand_in(self, message: m.HandInDrill, log_sign: NoteSigner | None) -> m.DrillHandInReply:
        async with self._turn:
            drill, recorder = await self._begin()
            if message.attempt != drill.attempt:
                raise AttemptOver("This drill is over.")
            accepted = await drill.hand_in(message.holder, message.box)
            recorder.record("drill share", holder=message.holder,
                            accepted=progress_text(self._record, accepted))  # fmt: skip
            if not drill.is_complete:
                return self._handed_in(drill, message.holder)
            try:
                return await self._finish(drill, recorder, message.holder, log_sign)
            finally:
                await self.end()

    async def end(self) -> None:
        """Ends the child of the open drill, if there is one."""
        if self._open is not None:
            drill, self._open = self._open[0], None
            with contextlib.suppress(Exception):
                await drill.close()

    async def _begin(self) -> tuple[DrillAttempt, Recorder]:
        now = self._book.now()
        if self._open is not None and (self._open[0].expires_at <= now or not self._open[0].is_open):
            await self.end()  # its time is over, or its child died
        if self._open is None:
            drill = await DrillAttempt.start_drill(
                self._record, now=now, lifetime=ATTEMPT_SECONDS, keeper_key=self._public
            )
            recorder = Recorder("drill", self._book.genesis.service, self._book.now, lambda step: None, rehearsal=False)
            recorder.record(
                "drill", quorum=self._quorum, epoch=self._record.epoch, threshold=self._record.threshold,
                holders=[holder.name for holder in self._record.holders], attempt=drill.attempt.hex(),
                protections=drill.protections,
            )  # fmt: skip
            self._open = drill, recorder
        return self._open

    async def _finish(
        self, drill: DrillAttempt, recorder: Recorder, holder: str, log_sign: NoteSigner | None
    ) -> m.DrillHandInReply:
        recorder.record("proven", quorum=self._quorum, holders=list(drill.accepted), opened=list(drill.proven()))
        transcript = await self._sign(recorder, log_sign)
        path = await asyncio.to_thread(put_transcript, self._shelf, self._quorum, transcript)
        try:
            async with self._book.turn():
                index = await self._book.record(
                    e.Drilled(self._book.now(), self._quorum, self._record.epoch, drill.accepted, drill.attempt.hex(),
                              sha256_hex(transcript))
                )  # fmt: skip
        except HsmpubError:
            take_back(path)
            raise
        evidence = f"{self._shelf.name}/{path.parent.name}/{path.name}"
        log.info("drill of the %s quorum: %s", self._quorum, ", ".join(drill.accepted))
        said = self._handed_in(drill, holder)
        return msgspec.structs.replace(said, proven=drill.proven(), evidence=evidence, entry=index)

    def _handed_in(self, drill: DrillAttempt, holder: str) -> m.DrillHandInReply:
        record = self._record
        return m.DrillHandInReply(
            holder=holder,
            accepted=drill.accepted,
            threshold=record.threshold,
            group_threshold=record.group_threshold,
            groups=group_progress(record, drill.accepted),
        )

    async def _sign(self, recorder: Recorder, log_sign: NoteSigner | None) -> bytes:
        message = recorder.message()
        signatures: list[tuple[Signer, str, bytes]] = []
        if log_sign is not None:
            try:
                signatures.append(("log", self._book.genesis.log_key, await log_sign(message)))
            except HsmpubError as error:  # sealed meanwhile, or the HSM is away: the keeper's signature is enough
                log.warning("the log key did not sign a drill: %s", error.detail, extra={"rule": error.rule})
        signatures.append(("keeper", self._public.hex(), self._identity.sign(message)))
        return recorder.finish(signatures)

    def _reply(self, drill: DrillAttempt) -> m.DrillReply:
        body = drill_to_sign(self._quorum, drill.attempt, drill.key, drill.expires_at)
        return m.DrillReply(
            quorum=self._quorum,
            attempt=drill.attempt,
            key=drill.key,
            signature=self._identity.sign(body),
            keeper_key=self._public,
            epoch=self._record.epoch,
            threshold=self._record.threshold,
            holders=tuple(holder.name for holder in self._record.holders),
            accepted=drill.accepted,
            expires_at=drill.expires_at,
            group_threshold=self._record.group_threshold,
            groups=group_progress(self._record, drill.accepted),
        )
