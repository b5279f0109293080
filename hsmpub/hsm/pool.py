"""The keeper's signers: as many processes as it was given, each request spread over them.

A signer that dies takes nothing with it (`hsmpub.hsm.dispatch`) and is replaced (`hsmpub.hsm.crew`). The token's
absence is told at once and its return is enough. The token refuses the PIN, or signs with another key than the
pinned one: an alarm. Credentials pass through processes of their own (`hsmpub.hsm.vaults`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Self

from hsmpub.envelope.header import Form
from hsmpub.errors import HsmpubError
from hsmpub.hsm.backlog import COSTS
from hsmpub.hsm.config import HashName, HsmConfig
from hsmpub.hsm.dispatch import Dispatch
from hsmpub.hsm.fitness import check_fit
from hsmpub.hsm.messages import SELF_TEST, InspectKeys, LeaseSecret, ResealHeader, SealSecret, Serve
from hsmpub.hsm.rules import KeyChanged, KeyUnfit, KeyUnknown, PinRefused, SignerLost, SignersClosed
from hsmpub.hsm.vaults import VaultOrder, Vaults
from hsmpub.model.key import DECRYPTS, KeyRecord
from hsmpub.secret.page import SecretPage


class Signers:
    """Signs with the keys of the token. Made by `start`."""

    def __init__(
        self, hsm: HsmConfig, keys: Sequence[KeyRecord], pin: SecretPage, workers: int, on_alarm: Callable[[str], None]
    ) -> None:
        self._alarm = on_alarm
        self._keys = {key.name: key for key in keys}
        self._pin = pin
        self._closed = False
        self._seen = b""
        self._dispatch = Dispatch(hsm, Serve(keys=tuple(keys)), pin, workers, on_alarm)
        self._vaults = Vaults(hsm, pin, self._keys)

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
            await pool._dispatch.crew.start()
        except BaseException as error:
            pool.close()
            if isinstance(error, PinRefused):
                on_alarm(error.detail)
            raise
        return pool

    @property
    def alive(self) -> int:
        """Signers that are logged in now."""
        return len(self._dispatch.crew.lanes)

    @property
    def generation(self) -> int:
        """How many signers were started so far; a handle never outlives its generation."""
        return self._dispatch.crew.generation

    @property
    def protections(self) -> dict[str, str]:
        """What the signers' sandbox could do, name → "on" or why not."""
        return self._dispatch.crew.protections

    @property
    def fewer(self) -> str:
        """Why there are fewer signers than were asked for; empty: there are not."""
        return self._dispatch.crew.fewer

    @property
    def pids(self) -> tuple[int, ...]:
        """Of the signers that are there now: by them a test looks into one, or kills it."""
        return tuple(lane.pid for lane in self._dispatch.crew.lanes)

    async def whole(self) -> None:
        """Returns when every signer is logged in, at once if they are.

        Raises:
            SignersClosed: that will not happen any more.
        """
        await self._dispatch.crew.whole()
        self._check_open()

    async def sign(self, key: str, items: Sequence[bytes], *, hash: HashName = "sha256") -> list[bytes]:  # noqa: A002
        """Signs every item, or raises.

        Args:
            items: digests for "sha256" (32 bytes each) and "sha512" (64), messages for "none" (Ed25519).

        Returns:
            In order: EC raw r||s; RSA PKCS#1 v1.5; Ed25519 64 bytes. Each was verified against the pinned key.

        Raises:
            KeyUnknown, KeyUnfit: nothing was tried. TokenGone, HsmFailed, KeyMissing, SignerLost: try later.
            SignatureNotVerified: stop. SignersClosed: sealed.
        """
        record = self._keys.get(key)
        if record is None:
            raise KeyUnknown(f"There is no key named {key!r}.")
        check_fit(record, hash, items)
        if not items:
            return []
        return await self._dispatch.run(key, hash, items, COSTS[record.kind])

    async def self_test(self) -> dict[str, str]:
        """Makes and verifies a real signature with each key, and seals and opens with the sealing key.

        Returns:
            Key name → "ok", or what is wrong. No signature leaves the signers.
        """

        async def test(key: KeyRecord) -> str:
            try:
                await self._dispatch.run(key.name, SELF_TEST, [b""], COSTS[key.kind])
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

    async def recheck(self) -> None:
        """Logs in with the known PIN in a process of its own, and looks at every pinned key: its attributes, its
        public half, what it signs; and at whether anything differs from the first look.

        Raises:
            PinRefused (after the alarm), KeyChanged, KeyMissing, SignatureNotVerified: somebody touched the token.
            TokenGone, HsmFailed, SignerLost: nothing is known now. SignersClosed.
        """
        seen = await self._vault(InspectKeys(tuple(self._keys.values())))
        if self._seen not in (b"", seen):
            raise KeyChanged("The attributes of a key in the token are not what they were.")
        self._seen = seen

    async def reseal_header(self, key: str, form: Form, header: bytes, recipient: str) -> bytes:
        """Opens the header of an encrypted file with a decryption key, and makes one for `recipient`, in a process of
        its own. This process never sees the file's key.

        Args:
            form, header, recipient: as hsmpub.envelope.reseal takes them.

        Raises:
            HeaderNotOpened: the one answer to anything wrong inside. HeaderForOthers, RecipientRefused and the rules
            of a malformed header. KeyUnknown, KeyUnfit, KeyMissing, TokenGone, HsmFailed, SignerLost, PinRefused.
        """
        record = self._keys.get(key)
        if record is None:
            raise KeyUnknown(f"There is no key named {key!r}.")
        if record.kind != DECRYPTS:
            raise KeyUnfit(f"The key {key!r} signs or seals, and decrypts no files.")
        return await self._vault(ResealHeader(record, form, header, recipient))

    def close(self) -> None:
        """Seals at once: kills every process, fails what waits, wipes the PIN. Twice is harmless."""
        if self._closed:
            return
        self._closed = True
        self._vaults.close()
        self._dispatch.close()
        self._pin.close()

    def _check_open(self) -> None:
        if self._closed:
            raise SignersClosed("The signers are closed.")

    async def _vault(self, order: VaultOrder, private: bytes | bytearray | None = None) -> bytes:
        self._check_open()
        try:
            return await self._vaults.run(order, private)
        except PinRefused as error:
            self._alarm(error.detail)
            raise
        except SignerLost:
            self._check_open()
            raise
