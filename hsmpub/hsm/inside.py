"""The child's side: take the order, drop rights, load the module, log in.

Loading and login happen under a file lock: SoftHSM 2.6.1 fails when several processes do them at once.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import socket
from collections.abc import Callable, Iterator

import msgspec
import pkcs11

from hsmpub.errors import HsmpubError, Problem
from hsmpub.hsm.config import HsmConfig
from hsmpub.hsm.cryptoki import Cryptoki
from hsmpub.hsm.frames import ChannelBroken, pack_frame, read_frame
from hsmpub.hsm.messages import Opening
from hsmpub.hsm.objects import Session
from hsmpub.hsm.rules import HsmFailed, TokenGone
from hsmpub.hsm.softhsm import token_directory
from hsmpub.hsm.template import attribute_mapper
from hsmpub.sandbox.hardening import harden
from hsmpub.sandbox.role import RoleName
from hsmpub.secret.page import SecretPage

_OPENING: msgspec.msgpack.Decoder[Opening] = msgspec.msgpack.Decoder(Opening)


class Inside:
    """A child that knows what it is to do.

    Attributes:
        opening: the order and the HSM.
        secrets: one page for each announced secret, in order.
        protections: what the sandbox could do.
    """

    def __init__(self, channel: socket.socket, role: RoleName) -> None:
        self.channel = channel
        self.opening = read_frame(channel, _OPENING)
        hsm = self.opening.hsm
        self._lock = os.open(hsm.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600) if hsm.lock else -1
        self.protections = _harden(hsm, role)
        self.secrets = [_receive(channel, length) for length in self.opening.secrets]

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Holds the lock of the HSM against other processes that start."""
        if self._lock < 0:
            yield
            return
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def open_session(self, pin: SecretPage, *, rw: bool = False) -> tuple[Cryptoki, Session]:
        """Loads the module, logs in with an anchor session, and opens a second one for work.

        The anchor has no owner: it ends with the process, and the login with it. The PIN is wiped.

        Raises:
            TokenGone, PinRefused, HsmFailed
        """
        hsm = self.opening.hsm
        with self.alone():
            try:
                if hsm.softhsm_conf and not token_directory(hsm.softhsm_conf).is_dir():
                    raise TokenGone("The directory with the tokens is not there.")
                cryptoki = Cryptoki(hsm.module)
                library = pkcs11.lib(hsm.module)
                cryptoki.login(hsm.token, pin)
                session = library.get_token(token_label=hsm.token).open(rw=rw, attribute_mapper=attribute_mapper())
            except pkcs11.NoSuchToken as error:
                raise TokenGone(f"The module shows no token named {hsm.token!r}.") from error
            except pkcs11.PKCS11Error as error:
                raise HsmFailed(f"The HSM failed ({type(error).__name__}).") from error
            finally:
                pin.close()
        return cryptoki, session


def run_inside(role: RoleName, work: Callable[[Inside], msgspec.Struct | None]) -> int:
    """The `main` of a child: runs `work` and sends what it returns, or the rule that it met."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    channel = socket.socket(fileno=os.dup(0))
    os.set_inheritable(channel.fileno(), False)
    try:
        try:
            answer = work(Inside(channel, role))
        except HsmpubError as error:
            answer = Problem.of(error)
        except pkcs11.PKCS11Error as error:
            answer = Problem.of(HsmFailed(f"The HSM failed ({type(error).__name__})."))
        if answer is not None:
            channel.sendall(pack_frame(answer))
    except (ChannelBroken, EOFError, BrokenPipeError, ConnectionResetError):
        return 1  # nobody listens any more
    return 0


def _receive(channel: socket.socket, length: int) -> SecretPage:
    page = SecretPage(length)
    page.fill_from(channel.fileno(), length)
    return page


def _harden(hsm: HsmConfig, role: RoleName) -> dict[str, str]:
    """Files are confined for SoftHSM, whose paths are known; other modules read whatever their vendor likes."""
    if not hsm.softhsm_conf:
        return harden(role, network=hsm.network)
    tokens = token_directory(hsm.softhsm_conf)
    return harden(
        role,
        read=[hsm.softhsm_conf, os.path.realpath(hsm.module)],
        write=[str(tokens)],
        network=hsm.network,
    )
