"""Starting the processes that load the PKCS#11 module, from the side of the one that asks.

A child gets one inherited socket as its standard input, an environment without secrets, and nothing else.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Sequence
from types import TracebackType
from typing import Self, TypeVar

import msgspec

from hsmpub.errors import Problem
from hsmpub.frames import ChannelBroken, pack_frame, read_frame
from hsmpub.hsm.config import HsmConfig
from hsmpub.hsm.messages import Answer, Finished, Opening, Order
from hsmpub.hsm.rules import HsmFailed, SignerLost, as_rule
from hsmpub.hsm.start import Process, Spawner, Starter, start_child
from hsmpub.secret.page import SecretPage

_T = TypeVar("_T")
Secret = bytes | bytearray | SecretPage
ANSWER: msgspec.msgpack.Decoder[Answer] = msgspec.msgpack.Decoder(Answer)


_starter: Starter = start_child


def start_with(starter: Starter) -> None:
    """From now on every process of this package that this process asks for is started so."""
    global _starter
    _starter = starter


def start_outside_sandbox(hsm: HsmConfig) -> Spawner | None:
    """For a keeper, before it gives up its rights: from now on its signers and vaults are started by a process that
    keeps what the module needs. SoftHSM needs nothing, and None is returned.

    Raises:
        HsmFailed: the system starts no more processes.
    """
    if hsm.softhsm_conf:
        return None
    spawner = Spawner.started_before_exec() or Spawner.start(hsm)
    start_with(spawner)
    return spawner


class Child:
    """One child process with its channel. As a context manager it is dead and reaped at the end.

    Args:
        module: what to run, `hsmpub.hsm.worker` or another of this package.
        order: what it is to do.
        secrets: sent right after the order, from where they are, and left as they are.
        timeout: seconds that each later `receive` waits at most.
        follows: another process has logged in with the same PIN; see `Opening`.
    """

    def __init__(
        self,
        module: str,
        hsm: HsmConfig,
        order: Order,
        secrets: Sequence[Secret],
        *,
        timeout: float = 60,
        follows: bool = False,
    ) -> None:
        ours, theirs = socket.socketpair()
        try:
            self.process: Process = _starter(module, hsm, theirs)
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        self.channel = ours
        self.channel.settimeout(timeout)
        self._detached = False
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # then `receive` tells why
            self.channel.sendall(pack_frame(Opening(hsm, order, tuple(len(secret) for secret in secrets), follows)))
            for secret in secrets:
                self.channel.sendall(secret.view if isinstance(secret, SecretPage) else secret)

    def receive(self, decoder: msgspec.msgpack.Decoder[_T]) -> _T:
        """The next frame.

        Raises:
            SignerLost: the child died or fell silent.
        """
        try:
            return read_frame(self.channel, decoder)
        except ChannelBroken as error:
            raise SignerLost("A process of the HSM ended without an answer.") from error

    def send(self, message: msgspec.Struct) -> None:
        try:
            self.channel.sendall(pack_frame(message))
        except OSError as error:
            raise SignerLost("A process of the HSM is gone.") from error

    def detach(self) -> socket.socket:
        """Gives the channel to an event loop, which closes it from then on."""
        self._detached = True
        self.channel.setblocking(False)
        return self.channel

    def kill(self) -> None:
        """Kills and reaps; harmless when it is dead already."""
        if not self._detached:
            self.channel.close()
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()


def run_once(module: str, hsm: HsmConfig, order: Order, secrets: Sequence[Secret]) -> Finished:
    """Runs a one-shot child to its answer.

    Raises:
        HsmpubError: the rule that the child answered with, or SignerLost.
    """
    with Child(module, hsm, order, secrets) as child:
        return finished(child.receive(ANSWER))


def finished(answer: Answer) -> Finished:
    if isinstance(answer, Problem):
        raise as_rule(answer)
    if not isinstance(answer, Finished):
        raise HsmFailed("A process of the HSM answered out of turn.")
    return answer
