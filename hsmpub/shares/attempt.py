"""A gathering of shares, from the side of whoever needs the secret: the keeper, or a restore.

The keeper's process holds sealed boxes and, at the end, the PIN in a SecretPage; shares and secret stay in the child.
A refused share changes nothing. Nobody can cancel or prolong an attempt: it ends by the last share that is needed or
its time.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import Sequence
from typing import Self

from hsmpub.errors import Conflict, Unavailable
from hsmpub.sandbox import python_command
from hsmpub.secret.page import SecretPage
from hsmpub.shares.box import Box, box_of
from hsmpub.shares.channel import (
    MAX_FRAME,
    Accepted,
    Gather,
    Gathers,
    HandInBox,
    HandInFile,
    Reply,
    frame,
    read_reply,
)
from hsmpub.shares.gathering import MAX_BOX_BYTES, EnoughShares, ShareBoxUnreadable, TooFewHolders
from hsmpub.shares.progress import too_few
from hsmpub.shares.record import Purpose, RecoveryRecord, UnsealRecord
from hsmpub.shares.record_file import dump_record
from hsmpub.shares.recovery import key_boxes
from hsmpub.shares.slip39 import ShareMalformed

MAX_FILE_BYTES = 1 << 16


class AttemptExpired(Conflict):
    advice = "Ask for the attempt that is open now, and hand the share in there."


class AttemptLost(Unavailable):
    advice = "Ask for the attempt that is open now: everybody hands in again."


class _Attempt:
    """attempt: 16 random bytes; key: raw X25519 public key; expires_at: seconds since 1970.

    sealed: the box of what the child was given to seal, at the end.

    protections: of the child, name → "on" or why it is off.
    """

    def __init__(self, record: UnsealRecord | RecoveryRecord, process: asyncio.subprocess.Process, *, attempt: bytes,
                 key: bytes, expires_at: int, deadline: float, release: int) -> None:  # fmt: skip
        self.record = record
        self.attempt = attempt
        self.key = key
        self.expires_at = expires_at
        #: terms (dumped) → holders whose shares are in under them
        self.by_terms: dict[bytes, tuple[str, ...]] = {}
        self.protections: dict[str, str] = {}
        self._process = process
        self._deadline = deadline
        self._release = release
        self._released: tuple[int, ...] = ()
        self._proven: tuple[str, ...] = ()
        self.sealed = b""
        self._turn = asyncio.Lock()

    @classmethod
    async def _start(
        cls, record: UnsealRecord | RecoveryRecord, now: int, lifetime: int, boxes: Sequence[Box],
        seal: SecretPage | None = None, drill: bool = False, keeper_key: bytes = b"",
    ) -> Self:  # fmt: skip
        release, to_release = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *python_command("hsmpub.shares.unsealer"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                pass_fds=(to_release,),
                limit=MAX_FRAME,
            )
        except BaseException:
            os.close(release)
            raise
        finally:
            os.close(to_release)
        attempt = secrets.token_bytes(16)
        made = cls(record, process, attempt=attempt, key=b"", expires_at=now + lifetime,
                   deadline=time.monotonic() + lifetime, release=release)  # fmt: skip
        try:
            purpose: Purpose = "unseal" if isinstance(record, UnsealRecord) else "recovery"
            order = Gather(purpose, dump_record(record), attempt, lifetime, to_release, tuple(boxes),
                           len(seal) if seal is not None else 0, drill, keeper_key)  # fmt: skip
            gathers = await made._ask(frame(order), Gathers, seal.view if seal is not None else None)
            made.key, made.protections = gathers.key, gathers.protections
        except BaseException:
            await made.close()
            raise
        return made

    @property
    def accepted(self) -> tuple[str, ...]:
        """Holders whose shares are in, without terms."""
        return self.by_terms.get(b"", ())

    @property
    def is_complete(self) -> bool:
        """Enough shares are in, and what they open is ready to be taken."""
        return bool(self._released or self._proven)

    @property
    def is_open(self) -> bool:
        """Shares can still be handed in."""
        return not self.is_complete and self._process.returncode is None and time.monotonic() < self._deadline

    async def hand_in(self, holder: str, box: bytes, terms: bytes = b"") -> tuple[str, ...]:
        """Hands in a share that its holder sealed to `key`, with
        info = `b"hsmpub share v1" + bound_attempt(attempt, terms) + holder`.

        Returns:
            The holders whose shares are in under these terms, this one last. A share that was in under others moved.

        Raises:
            AttemptExpired, AttemptLost, EnoughShares: no share can be handed in here any more.
            The rules of hsmpub.shares.gathering and hsmpub.shares.slip39: this one was refused; nothing changed.
        """
        # both are capped here already: nobody may end the child with a frame that it does not read
        self.record.holder(holder)
        if len(box) > MAX_BOX_BYTES:
            raise ShareBoxUnreadable("The box is larger than any share.")
        return await self._hand_in(frame(HandInBox(holder, box, terms)), terms)

    async def hand_in_file(self, holder: str, file: bytes, identity: bytearray) -> tuple[str, ...]:
        """Hands in a share at the ceremony machine: share file and its holder's private key, opened in the child.

        identity: content of the private key's file, left as it is; empty if `file` is the words themselves.

        Raises:
            As hand_in, and the rules of hsmpub.shares.identity.
        """
        self.record.holder(holder)
        if len(file) > MAX_FILE_BYTES:
            raise ShareMalformed("The share file is larger than any share.")
        return await self._hand_in(frame(HandInFile(holder, file, len(identity))), secret=identity)

    async def close(self) -> None:
        """Ends the child and forgets what it gathered. Twice is harmless."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        assert self._process.stdin is not None
        self._process.stdin.close()
        if self._release >= 0:
            os.close(self._release)
            self._release = -1

    async def _hand_in(
        self, message: bytes, terms: bytes = b"", secret: bytearray | memoryview | None = None
    ) -> tuple[str, ...]:
        # whoever goes away in the middle must not leave an answer behind for the next one
        turn = asyncio.ensure_future(self._in_turn(message, terms, secret))
        turn.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(turn)

    async def _in_turn(self, message: bytes, terms: bytes, secret: bytearray | memoryview | None) -> tuple[str, ...]:
        async with self._turn:
            if self.is_complete:
                raise EnoughShares("Enough holders have handed in their shares already.")
            if time.monotonic() >= self._deadline:
                await self.close()
                raise AttemptExpired("The time of this attempt is over; what was handed in is forgotten.")
            reply = await self._ask(message, Accepted, secret)
            self._released, self.sealed, self._proven = reply.released, reply.sealed, reply.proven
            moved = {name: tuple(h for h in held if h != reply.holders[-1]) for name, held in self.by_terms.items()}
            self.by_terms = {name: held for name, held in moved.items() if held} | {terms: reply.holders}
            return reply.holders

    async def _take(self, *pages: SecretPage) -> None:
        if not self._released:
            raise TooFewHolders(too_few(self.record, max(self.by_terms.values(), key=len, default=())))
        if self._release < 0:
            raise AttemptLost("What the shares opened was taken already.")
        # the child wrote everything before it answered: nothing here waits
        for page, size in zip(pages, self._released, strict=True):
            page.fill_from(self._release, size)
        await self.close()

    async def _ask(self, message: bytes, kind: type[Reply], secret: bytearray | memoryview | None = None) -> Reply:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write(message)
            if secret is not None:
                stdin.write(secret)
            await stdin.drain()
            size = int.from_bytes(await stdout.readexactly(4), "big")
            body = await stdout.readexactly(size)
        except (asyncio.IncompleteReadError, ConnectionError):
            raise AttemptLost("The process that gathers the shares has ended.") from None
        return read_reply(body, kind)


class UnsealAttempt(_Attempt):
    """One attempt to unseal: at the last share that is needed the child opens the PIN box."""

    @classmethod
    async def start(
        cls, record: UnsealRecord, *, now: int, lifetime: int, boxes: Sequence[Box] = (),
        seal: SecretPage | None = None,
    ) -> Self:  # fmt: skip
        """Starts the child and its key.

        Args:
            lifetime: seconds.
            boxes: what is to be opened; the record's PIN if there are none.
            seal: a new PIN that the child seals under the same secret: `sealed` at the end.

        Raises:
            AttemptLost: the child did not come up.
            RecordMalformed: of the record.
        """
        return await cls._start(record, now, lifetime, boxes or (box_of("PIN", record.pin_box),), seal)

    async def take_pin(self, *pages: SecretPage) -> None:
        """Moves what the boxes held, the PIN as a rule, into the pages, once.

        Raises:
            TooFewHolders: the threshold is not reached.
            AttemptLost: it was taken before.
        """
        await self._take(*pages)


class RecoveryAttempt(_Attempt):
    """One gathering of the recovery quorum: at the last share that is needed the child opens what a restore, or a
    ceremony, needs."""

    @classmethod
    async def start(cls, record: RecoveryRecord, *, now: int, lifetime: int, boxes: Sequence[Box] = ()) -> Self:
        """As UnsealAttempt.start. boxes: those of `key_boxes` if there are none."""
        return await cls._start(record, now, lifetime, boxes or key_boxes(record))

    async def take_keys(self, *pages: SecretPage) -> None:
        """Moves what the boxes held into the pages, once; wrapping key and seed of the keeper's identity as a rule.

        Raises as UnsealAttempt.take_pin does.
        """
        await self._take(*pages)
