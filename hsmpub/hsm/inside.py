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
from hsmpub.frames import ChannelBroken, pack_frame, read_frame
from hsmpub.hsm.config import PINNED_HSM, HsmConfig
from hsmpub.hsm.cryptoki import Cryptoki
from hsmpub.hsm.messages import Opening
from hsmpub.hsm.objects import Session
from hsmpub.hsm.rules import HsmFailed, PinRefused, SessionsExhausted, TokenGone
from hsmpub.hsm.softhsm import token_directory
from hsmpub.hsm.template import attribute_mapper
from hsmpub.sandbox.hardening import harden
from hsmpub.sandbox.role import RoleName
from hsmpub.secret.page import SecretPage

#: In the lock file: the PIN that this pool of processes got was refused.
_REFUSED = b"PIN refused"
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
        pinned = os.environ.pop(PINNED_HSM, "")
        if pinned and msgspec.json.decode(pinned, type=HsmConfig) != hsm:
            raise HsmFailed("The order names another HSM than the configuration.", next_step="Restart the keeper.")
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
        """Loads the module, opens the one session of this process and logs in through it. The PIN is wiped.

        The session ends with the process, and the login with it: one session for each process, for tokens have few.

        Raises:
            TokenGone, PinRefused, PinLocked, SessionsExhausted, HsmFailed
        """
        hsm = self.opening.hsm
        with self.alone():
            try:
                if hsm.softhsm_conf and not token_directory(hsm.softhsm_conf).is_dir():
                    raise TokenGone("The directory with the tokens is not there.")
                Cryptoki(hsm.module)  # says in plain words when it is no module
                library = pkcs11.lib(hsm.module)
                cryptoki = Cryptoki(hsm.module, library)
                session: Session = library.get_token(token_label=hsm.token).open(
                    rw=rw, attribute_mapper=attribute_mapper()
                )
                self._log_in(cryptoki, session.handle, pin)
            except pkcs11.NoSuchToken as error:
                raise TokenGone(f"The module shows no token named {hsm.token!r}.") from error
            except pkcs11.SessionCount as error:
                raise SessionsExhausted("The token has no session left for another process.") from error
            except pkcs11.PKCS11Error as error:
                raise HsmFailed(f"The HSM failed ({type(error).__name__}).") from error
            finally:
                pin.close()
        return cryptoki, session

    def _log_in(self, cryptoki: Cryptoki, session: int, pin: SecretPage) -> None:
        """One attempt. What the token refused once is refused to every process that follows, without another attempt:
        it counts wrong PINs, and those that start at the same moment would use up its patience."""
        mark = self._lock if self.opening.follows else -1
        if mark >= 0 and os.pread(mark, len(_REFUSED), 0) == _REFUSED:
            raise PinRefused("The token has refused the PIN; it is not tried again.")
        try:
            cryptoki.login_session(session, pin)
        except PinRefused:
            if mark >= 0:
                os.pwrite(mark, _REFUSED, 0)
            raise
        if not self.opening.follows and self._lock >= 0:
            os.ftruncate(self._lock, 0)


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
    """SoftHSM needs nothing but its files. Other modules read what their makers like, and some ask a daemon."""
    if not hsm.softhsm_conf:
        return harden(role, local=True, network=hsm.network)
    tokens = token_directory(hsm.softhsm_conf)
    return harden(
        role,
        read=[hsm.softhsm_conf, os.path.realpath(hsm.module)],
        write=[str(tokens)],
        network=hsm.network,
    )
