"""Running vault processes from the keeper's event loop, a few at a time."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping

from hsmpub.frames import HEADER_BYTES, MAX_FRAME_BYTES
from hsmpub.hsm.child import ANSWER, Child, finished
from hsmpub.hsm.config import HsmConfig
from hsmpub.hsm.messages import InspectKeys, LeaseSecret, ResealHeader, SealSecret
from hsmpub.hsm.rules import KeyMissing, SignerLost
from hsmpub.model.key import KeyRecord
from hsmpub.secret.page import SecretPage

_VAULT_PROCESS = "hsmpub.hsm.vault"
_AT_ONCE = 2
VaultOrder = SealSecret | LeaseSecret | ResealHeader | InspectKeys
_SECONDS = 30.0


class Vaults:
    """Starts one process for each order and kills it after its answer."""

    def __init__(self, hsm: HsmConfig, pin: SecretPage, keys: Mapping[str, KeyRecord]) -> None:
        self._hsm = hsm
        self._pin = pin
        self._keys = keys
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._running: set[Child] = set()

    def sealing_key(self) -> str:
        """The name of the one key that seals secrets.

        Raises:
            KeyMissing: the ceremony made none, or more than one.
        """
        names = [key.name for key in self._keys.values() if key.kind == "aes256"]
        if len(names) != 1:
            raise KeyMissing(f"There are {len(names)} sealing keys, not one.")
        return names[0]

    async def run(self, order: VaultOrder, private: bytes | bytearray | None) -> bytes:
        """Runs one order; see `Signers.seal_secret`, `Signers.lease_secret` and `Signers.reseal_header`."""
        async with self._room:
            secrets = [self._pin] if private is None else [self._pin, private]
            child = Child(_VAULT_PROCESS, self._hsm, order, secrets, follows=True)
            self._running.add(child)
            try:
                async with asyncio.timeout(_SECONDS):
                    answer = ANSWER.decode(await _frame(child.channel))
            except (OSError, EOFError, TimeoutError) as error:
                raise SignerLost("A vault process ended without an answer.") from error
            finally:
                self._running.discard(child)
                child.kill()
        return finished(answer).data

    def close(self) -> None:
        """Kills what runs; whoever waits for it gets SignerLost."""
        for child in self._running:
            child.process.kill()


async def _frame(channel: socket.socket) -> bytes:
    channel.setblocking(False)
    length = int.from_bytes(await _exactly(channel, HEADER_BYTES), "big")
    if length > MAX_FRAME_BYTES:
        raise EOFError
    return await _exactly(channel, length)


async def _exactly(channel: socket.socket, length: int) -> bytes:
    data = b""
    loop = asyncio.get_running_loop()
    while len(data) < length:
        more = await loop.sock_recv(channel, length - len(data))
        if not more:
            raise EOFError
        data += more
    return data
