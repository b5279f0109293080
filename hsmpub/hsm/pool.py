"""The keeper's signers: as many processes as it was given, kept alive, each request spread over them.

1. A request waits in the backlog until the current turn of the event loop ends, so that requests that came
   together travel together.
2. Each signer has at most two frames at once. Every signature in an answer was verified by the signer.
3. A signer that dies takes nothing with it: what it had not answered goes once to another. One that reports
   a void handle or a failing device ends itself, and a fresh one logs in.
4. No signer can start: requests fail at once with the reason, and one attempt after another goes on behind,
   so that the token's return is enough to sign again.
5. The token refuses the PIN: an alarm, and no second attempt.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Self

from hsmpub.errors import HsmpubError
from hsmpub.hsm.backlog import COSTS, FRAME_COST, Backlog, Piece, Request, again
from hsmpub.hsm.config import HashName, HsmConfig
from hsmpub.hsm.fitness import check_fit
from hsmpub.hsm.lane import Groups, Lane
from hsmpub.hsm.messages import SELF_TEST, LeaseSecret, Made, SealSecret, Serve, WorkDone
from hsmpub.hsm.rules import (
    HsmFailed,
    PinRefused,
    SignatureNotVerified,
    SignerLost,
    SignersClosed,
    TokenGone,
    UnknownKey,
    as_rule,
)
from hsmpub.hsm.vaults import Vaults
from hsmpub.model.key import KeyRecord
from hsmpub.secret.page import SecretPage

_START_SECONDS = 30.0
_SILENT_SECONDS = 30.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0
_ATTEMPTS = 2


class Signers:
    """Signs with the keys of the token. Made by `start`.

    Attributes:
        generation: how many signers were started so far.
        protections: what the signers' sandbox could do, name → "on" or why not.
    """

    def __init__(
        self, hsm: HsmConfig, keys: Sequence[KeyRecord], pin: SecretPage, workers: int, on_alarm: Callable[[str], None]
    ) -> None:
        self.generation = 0
        self.protections: dict[str, str] = {}
        self._hsm = hsm
        self._keys = {key.name: key for key in keys}
        self._order = Serve(keys=tuple(keys))
        self._pin = pin
        self._workers = workers
        self._on_alarm = on_alarm
        self._lanes: list[Lane] = []
        self._starting: set[Lane] = set()
        self._backlog = Backlog()
        self._dispatching = False
        self._closed = False
        self._trouble: HsmpubError | None = None
        self._one_at_a_time = asyncio.Lock()
        self._whole = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._vaults = Vaults(hsm, pin, self._keys)
        self._loop = asyncio.get_running_loop()

    @classmethod
    async def start(
        cls,
        hsm: HsmConfig,
        keys: Sequence[KeyRecord],
        pin: SecretPage,
        *,
        workers: int,
        on_alarm: Callable[[str], None],
    ) -> Self:
        """Starts the signers and returns when all have logged in.

        Args:
            keys: the pinned keys, as the genesis ceremony recorded them.
            pin: from here on the pool's; wiped by `close`, and when this raises.
            on_alarm: called with a sentence when the keeper has to seal.

        Raises:
            TokenGone, PinRefused (after the alarm), HsmFailed, SignerLost
        """
        pool = cls(hsm, keys, pin, workers, on_alarm)
        try:
            await pool._start_lane()  # alone: a wrong PIN is tried once, not once for each worker
            await asyncio.gather(*(pool._start_lane() for _ in range(workers - 1)))
        except BaseException as error:
            pool.close()
            if isinstance(error, PinRefused):
                on_alarm(error.detail)
            raise
        pool._keep(pool._watch())
        return pool

    @property
    def alive(self) -> int:
        """Signers that are logged in now."""
        return len(self._lanes)

    @property
    def pids(self) -> tuple[int, ...]:
        return tuple(lane.pid for lane in self._lanes)

    async def whole(self) -> None:
        """Returns when every signer is logged in, at once if they are.

        Raises:
            SignersClosed: that will not happen any more.
        """
        await self._whole.wait()
        self._check_open()

    async def sign(self, key: str, items: Sequence[bytes], *, hash: HashName = "sha256") -> list[bytes]:  # noqa: A002
        """Signs every item, or raises.

        Args:
            items: digests for "sha256" (32 bytes each) and "sha512" (64), messages for "none" (Ed25519).

        Returns:
            In order: EC raw r||s; RSA PKCS#1 v1.5; Ed25519 64 bytes. Each was verified against the pinned key.

        Raises:
            UnknownKey, KeyUnfit: nothing was tried. TokenGone, HsmFailed, KeyMissing, SignerLost: try later.
            SignatureNotVerified: stop. SignersClosed: sealed.
        """
        record = self._keys.get(key)
        if record is None:
            raise UnknownKey(f"There is no key named {key!r}.")
        check_fit(record, hash, items)
        return await self._run(Request(key, hash, items, COSTS[record.kind])) if items else []

    async def self_test(self) -> dict[str, str]:
        """Makes and verifies a real signature with each key, and seals and opens with the sealing key.

        Returns:
            Key name → "ok", or what is wrong. No signature leaves the signers.
        """

        async def test(key: KeyRecord) -> str:
            try:
                await self._run(Request(key.name, SELF_TEST, [b""], COSTS[key.kind]))
            except HsmpubError as error:
                return error.detail
            return "ok"

        return dict(zip(self._keys, await asyncio.gather(*map(test, self._keys.values())), strict=True))

    async def seal_secret(self, box: bytes, *, private: bytes | bytearray, info: bytes, aad: bytes) -> bytes:
        """Seals the content of a box under the HSM's sealing key, in a process of its own.

        Args:
            box: HPKE box (hsmpub.secret.box) to the X25519 key `private` (32 bytes raw), with `info`.
            aad: what the sealed secret belongs to; leasing it needs the same bytes.

        Returns:
            `iv (12) || ciphertext || tag (16)`, AES-256-GCM.

        Raises:
            BoxNotOpened (as its problem), KeyMissing, TokenGone, HsmFailed, SignerLost, PinRefused
        """
        order = SealSecret(self._vaults.sealing_key(), box, info, aad)
        return await self._vault(order, private)

    async def lease_secret(self, sealed: bytes, *, aad: bytes, to: bytes, info: bytes) -> bytes:
        """Opens a sealed secret in the HSM and seals it to the X25519 key `to`, in a process of its own.

        Returns:
            An HPKE box with `info`. This process never sees the secret.

        Raises:
            SealedSecretRefused, KeyMissing, TokenGone, HsmFailed, SignerLost, PinRefused
        """
        return await self._vault(LeaseSecret(self._vaults.sealing_key(), sealed, aad, to, info))

    def close(self) -> None:
        """Seals at once: kills every process, fails what waits, wipes the PIN. Twice is harmless."""
        if self._closed:
            return
        self._closed = True
        for task in self._tasks:
            task.cancel()
        self._vaults.close()
        closed = SignersClosed("The signers were closed.")
        for lane in [*self._lanes, *self._starting]:
            for groups in lane.stop():
                for _, pieces in groups:
                    for piece in pieces:
                        piece.request.fail(again(closed))
        self._lanes.clear()
        self._backlog.fail_all(closed)
        self._whole.set()
        self._pin.close()

    # --- requests ---

    async def _run(self, request: Request) -> list[bytes]:
        self._check_open()
        if self._trouble is not None and not self._lanes:
            raise again(self._trouble)
        self._backlog.add(request)
        self._dispatch_soon()
        return await request.future

    def _check_open(self) -> None:
        if self._closed:
            raise SignersClosed("The signers are closed.")

    def _dispatch_soon(self) -> None:
        if not self._dispatching:
            self._dispatching = True
            self._loop.call_soon(self._dispatch)

    def _dispatch(self) -> None:
        self._dispatching = False
        while self._backlog and self._lanes:
            lane = max(self._lanes, key=_free)
            if lane.free <= 0:
                return
            share = -(-self._backlog.cost // len(self._lanes))
            pieces = self._backlog.take(min(share, FRAME_COST))
            if pieces:
                lane.send(pieces)

    # --- what lanes report ---

    def lane_answered(self, lane: Lane, groups: Groups, done: WorkDone) -> None:
        for place, (_, pieces) in enumerate(groups):
            self._settle(pieces, done.made[place] if place < len(done.made) else None)
        if done.leaving:
            self.lane_ended(lane, lane.stop(), innocent=True)
        elif self._backlog:
            self._dispatch()

    def _settle(self, pieces: Sequence[Piece], made: Made | None) -> None:
        """Hands out what a group came to; the item at which it stopped bears the problem, later ones do not."""
        signatures = made.signatures if made is not None else []
        problem = made.problem if made is not None else None
        used = 0
        for piece in pieces:
            got = signatures[used : used + len(piece)]
            used += len(got)
            if got:
                piece.request.keep(piece.start, got)
                piece.start += len(got)
            if not len(piece):
                continue
            if problem is not None:
                self._blame(piece, as_rule(problem))
                problem = None
            else:
                self._backlog.put_back(piece)

    def _blame(self, piece: Piece, error: HsmpubError) -> None:
        if isinstance(error, TokenGone | HsmFailed):
            self._trouble = error
        piece.failures += 1
        lasting = not isinstance(error, TokenGone | HsmFailed | SignatureNotVerified | SignerLost)
        if lasting or piece.failures >= _ATTEMPTS:
            piece.request.fail(error)
            if isinstance(error, SignatureNotVerified):
                self._on_alarm(f"{error.detail} Key: {piece.request.key}.")
            return
        self._backlog.put_back(piece)

    def lane_ended(self, lane: Lane, unanswered: Sequence[Groups], *, innocent: bool = False) -> None:
        """A signer is gone. What it had in hand is tried once more; what only waited in its channel is not blamed."""
        if self._closed or lane not in self._lanes:
            return
        self._lanes.remove(lane)
        self._whole.clear()
        lost = SignerLost("A signer ended with the request in hand.")
        for place, groups in reversed(list(enumerate(unanswered))):
            for piece in reversed([piece for _, pieces in groups for piece in pieces]):
                if place == 0 and not innocent:
                    self._blame(piece, again(lost))
                else:
                    self._backlog.put_back(piece)
        self._keep(self._revive(lane.born))
        self._fail_if_hopeless()
        self._dispatch_soon()

    def _fail_if_hopeless(self) -> None:
        if self._trouble is not None and not self._lanes:
            self._backlog.fail_all(self._trouble)

    # --- starting ---

    async def _start_lane(self) -> None:
        self.generation += 1
        lane = Lane(self, self._hsm, self._order, self._pin, self.generation)
        self._starting.add(lane)
        try:
            ready = await lane.start(_START_SECONDS)
        finally:
            self._starting.discard(lane)
        if self._closed:
            lane.stop()
            raise SignersClosed("The signers were closed while one started.")
        self.protections = ready.protections
        self._trouble = None
        self._lanes.append(lane)
        if len(self._lanes) >= self._workers:
            self._whole.set()
        self._dispatch_soon()

    async def _revive(self, born: float) -> None:
        """Starts a signer in the place of one that ended, one attempt in the whole pool at a time."""
        pause = _FIRST_PAUSE
        async with self._one_at_a_time:
            if self._loop.time() - born < _LONGEST_PAUSE:
                await asyncio.sleep(pause)  # one that dies at once must not keep a core busy
            while not self._closed:
                try:
                    await self._start_lane()
                    return
                except HsmpubError as error:
                    self._trouble = error
                    self._fail_if_hopeless()
                    if isinstance(error, PinRefused):
                        self._on_alarm(error.detail)
                        return
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)

    async def _watch(self) -> None:
        """Ends signers that hang in the module."""
        while True:
            await asyncio.sleep(_SILENT_SECONDS / 4)
            for lane in list(self._lanes):
                if lane.since and self._loop.time() - lane.since > _SILENT_SECONDS:
                    self.lane_ended(lane, lane.stop())

    def _keep(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _vault(self, order: SealSecret | LeaseSecret, private: bytes | bytearray | None = None) -> bytes:
        self._check_open()
        try:
            return await self._vaults.run(order, private)
        except PinRefused as error:
            self._on_alarm(error.detail)
            raise
        except SignerLost:
            self._check_open()
            raise


def _free(lane: Lane) -> int:
    return lane.free
