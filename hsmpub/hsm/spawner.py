"""Starts signers and vaults for a keeper whose own sandbox they could not live in.

SoftHSM needs nothing that a keeper gives up, and its processes are the keeper's children. Other modules talk to
daemons, read their makers' files, or open connections to an HSM in the network. So the keeper starts this process
before it gives up its own rights, and from then on asks it for processes. What may be asked is closed:

- only a signer or a vault, with the interpreter and the code that this process was started with;
- only for the HSM of the configuration, which is put into the process' environment and compared there
  (`hsmpub.hsm.inside`), so that a keeper gone bad cannot have another library loaded outside its sandbox;
- PINs pass by: each process gets its secrets from the keeper through a socket of its own.

The keeper holds a leash for each process: when it lets go, the process is killed; when the leash ends on this side,
the process is dead and reaped. When the keeper is gone, all of them are killed.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import subprocess

import msgspec

from hsmpub.hsm.config import PINNED_HSM, HsmConfig
from hsmpub.sandbox.hardening import harden
from hsmpub.sandbox.python import python_command

#: What may be asked for.
PROGRAMS = ("hsmpub.hsm.worker", "hsmpub.hsm.vault")
PID_BYTES = 4
_LONGEST = 4096


class _Kennel:
    """The processes that live, each with its leash."""

    def __init__(self, control: socket.socket, hsm: HsmConfig) -> None:
        self._control = control
        pinned = msgspec.json.encode(hsm).decode()
        self._environment = {**os.environ, PINNED_HSM: pinned}
        self._selector = selectors.DefaultSelector()
        self._living: dict[int, tuple[subprocess.Popen[bytes], socket.socket]] = {}
        self._selector.register(control, selectors.EVENT_READ, None)

    def run(self) -> None:
        """Until the keeper is gone."""
        while True:
            for key, _ in self._selector.select():
                if key.data is not None:
                    self._end(key.data)
                elif not self._answer():
                    return

    def close(self) -> None:
        for pidfd in list(self._living):
            self._end(pidfd)

    def _answer(self) -> bool:
        """One request: a program's name, with its standard input and its leash. False: there will be no more."""
        name, handles, _, _ = socket.recv_fds(self._control, _LONGEST, 2)
        if not name:
            return False
        if len(handles) != 2 or name.decode() not in PROGRAMS:
            for handle in handles:
                os.close(handle)
            return True
        channel, leash = handles
        try:
            self._start(name.decode(), channel, socket.socket(fileno=leash))
        finally:
            os.close(channel)
        return True

    def _start(self, program: str, channel: int, leash: socket.socket) -> None:
        try:
            process = subprocess.Popen(
                python_command(program),
                stdin=channel,
                stdout=subprocess.DEVNULL,
                env=self._environment,
                start_new_session=True,
            )
            pidfd = os.pidfd_open(process.pid)
        except OSError:
            leash.close()  # the keeper hears that there is no process
            return
        self._living[pidfd] = process, leash
        self._selector.register(pidfd, selectors.EVENT_READ, pidfd)
        self._selector.register(leash, selectors.EVENT_READ, pidfd)
        with contextlib.suppress(OSError):
            leash.send(process.pid.to_bytes(PID_BYTES, "big"))

    def _end(self, pidfd: int) -> None:
        """Kills and reaps, and lets go of the leash. Harmless when it is dead already."""
        if pidfd not in self._living:
            return
        process, leash = self._living.pop(pidfd)
        self._selector.unregister(pidfd)
        self._selector.unregister(leash)
        process.kill()
        process.wait()
        os.close(pidfd)
        leash.close()


def main() -> int:
    """Serves the keeper at standard input: first the HSM, then requests."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    control = socket.socket(fileno=os.dup(0))
    os.set_inheritable(control.fileno(), False)
    try:
        hsm = msgspec.json.decode(control.recv(_LONGEST), type=HsmConfig)
    except msgspec.DecodeError:
        return 1  # the keeper has ended already
    harden("spawner", network=hsm.network)
    kennel = _Kennel(control, hsm)
    try:
        kennel.run()
    finally:
        kennel.close()
    return 0
