"""Signing checkpoints behind the writer: the newest size and root, once for a burst, whenever a signer is there.

While the service is sealed nobody signs; entries are appended all the same, and the next signer covers them.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from hsmpub.errors import HsmpubError
from hsmpub.tlog.checkpoint import check_checkpoint, sign_checkpoint
from hsmpub.tlog.committer import Held
from hsmpub.tlog.note import NoteSigner, VerifierKey
from hsmpub.tlog.rules import CheckpointPending

#: Seconds between two signatures while the log grows: a lone entry is covered at once, a burst ten times a second.
SPACING = 0.1
#: Seconds before a signer that failed is asked again.
RETRY = 1.0


class Checkpointer:
    """One per log. `held` gives what may be signed: durable in store and head file."""

    def __init__(
        self,
        log_key: VerifierKey,
        held: Callable[[], Held],
        keep: Callable[[int, bytes], Awaitable[None]],
        newest: tuple[int, bytes] | None,
    ) -> None:
        """keep: stores a checkpoint durably; newest: size and note of the one stored last."""
        self._key = log_key
        self._held = held
        self._keep = keep
        self.newest = newest
        #: why the last signature failed, or empty
        self.problem = ""
        self._signing = asyncio.Lock()
        self._changed = asyncio.Condition()
        self._grown = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def size(self) -> int:
        """Entries that the newest checkpoint covers; -1 before the first."""
        return -1 if self.newest is None else self.newest[0]

    async def publish(self, sign: NoteSigner) -> bytes:
        """A signed, stored checkpoint of everything held now; the one that stands when nothing grew.

        Raises:
            NoteSignatureWrong: the signer's signature does not verify.
            HsmpubError: whatever the signer or the store raises.
        """
        async with self._signing:
            held = self._held()
            if self.newest is None or held.size > self.newest[0]:
                note = await sign_checkpoint(held.size, held.root, self._key, sign)
                check_checkpoint(note, self._key)
                await self._keep(held.size, note)
                self.newest = (held.size, note)
                async with self._changed:
                    self._changed.notify_all()
            return self.newest[1]

    def start(self, sign: NoteSigner) -> None:
        """Signs in the background from now on, in the running event loop; replaces the signer before."""
        self.stop()
        self._loop = asyncio.get_running_loop()
        self._grown.set()
        self._task = self._loop.create_task(self._run(sign), name="checkpoints")

    def stop(self) -> None:
        """No signature is asked for from here on."""
        if self._task is not None:
            self._task.cancel()
        self._task = self._loop = None

    def notice_growth(self) -> None:
        """Called from whatever thread there was a commit in."""
        if (loop := self._loop) is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(self._grown.set)

    async def _run(self, sign: NoteSigner) -> None:
        while True:
            await self._grown.wait()
            self._grown.clear()
            try:
                await self.publish(sign)
                self.problem = ""
                await asyncio.sleep(SPACING)
            except Exception as e:  # whatever a signer raises: the log must not stay without checkpoints for it
                self.problem = e.detail if isinstance(e, HsmpubError) else f"The signer failed: {type(e).__name__}."
                self._grown.set()
                await asyncio.sleep(RETRY)

    async def wait(self, size: int, timeout: float | None = None) -> bytes:
        """The first checkpoint that covers `size` entries. timeout: seconds.

        Raises:
            CheckpointPending: not within that time.
        """
        try:
            async with asyncio.timeout(timeout), self._changed:
                await self._changed.wait_for(lambda: self.size >= size)
        except TimeoutError:
            raise CheckpointPending(f"No checkpoint of {size} entries was signed yet.") from None
        assert self.newest is not None
        return self.newest[1]
