"""How a process of this package comes to life: as a child, or by the spawner where there is one."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from typing import Protocol, Self

import msgspec

from hsmpub.hsm.config import HsmConfig
from hsmpub.hsm.rules import HsmFailed
from hsmpub.hsm.spawner import PID_BYTES, PROGRAMS
from hsmpub.sandbox.python import python_command

_SECONDS = 30.0
#: What every process may know.
_PLAIN = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR")
#: SoftHSM takes and gives back a hundred small pieces of memory for a signature. With more of them kept at hand by the
#: allocator (glibc's; others do not read this) a P-256 signature takes 54 µs instead of 57. Secrets among them are
#: overwritten by SoftHSM and OpenSSL before they are given back.
_ALLOCATOR = "glibc.malloc.tcache_count=127:glibc.malloc.tcache_max=65536"
#: Variable that survives an exec of the keeper: handle and process id of its spawner.
_KEPT = "HSMPUB_SPAWNER"


class Process(Protocol):
    """A process that was started."""

    @property
    def pid(self) -> int: ...

    def kill(self) -> None: ...

    def wait(self) -> object:
        """Returns when it is dead and reaped."""


class Starter(Protocol):
    """Starts a program of this package with this socket as its standard input."""

    def __call__(self, program: str, hsm: HsmConfig, channel: socket.socket) -> Process: ...


def start_child(program: str, hsm: HsmConfig, channel: socket.socket) -> Process:
    """As a child of this process, without secrets in its environment.

    Raises:
        HsmFailed: the system starts no more processes.
    """
    try:
        return subprocess.Popen(
            python_command(program),
            stdin=channel.fileno(),
            stdout=subprocess.DEVNULL,
            env=_environment(hsm),
            start_new_session=True,  # an interrupt at the terminal is for the parent to handle
        )
    except OSError as error:
        raise HsmFailed(f"A process for the HSM cannot be started ({error.strerror}).") from error


def _environment(hsm: HsmConfig) -> dict[str, str]:
    """SoftHSM needs its configuration and nothing else; other modules get what is set down for them, so that what works
    in a ceremony works in the service."""
    if hsm.softhsm_conf:
        return {"SOFTHSM2_CONF": hsm.softhsm_conf, "LC_ALL": "C.UTF-8", "GLIBC_TUNABLES": _ALLOCATOR}
    plain = {name: os.environ[name] for name in _PLAIN if name in os.environ}
    return plain | dict(hsm.environment)


class Spawner:
    """The process that starts signers and vaults of one HSM; see `hsmpub.hsm.spawner`.

    Made before `harden`. A keeper that turns into another program by an exec keeps it: its sandbox stays on, and a new
    one would be caught in it.
    """

    def __init__(self, control: socket.socket, process: Process) -> None:
        self._control = control
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    @classmethod
    def start(cls, hsm: HsmConfig) -> Self:
        control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            process = start_child("hsmpub.hsm.spawner", hsm, theirs)
        control.send(msgspec.json.encode(hsm))
        control.set_inheritable(True)  # for an exec of this program; what it starts gets only what is named
        os.environ[_KEPT] = f"{control.fileno()} {process.pid}"
        return cls(control, process)

    @classmethod
    def started_before_exec(cls) -> Self | None:
        """The one that the program started which this process was before, or None."""
        kept = os.environ.get(_KEPT, "")
        if not kept:
            return None
        handle, pid = map(int, kept.split())
        return cls(socket.socket(fileno=handle), _OfEarlierProgram(pid))

    def __call__(self, program: str, hsm: HsmConfig, channel: socket.socket) -> Process:
        """Raises HsmFailed."""
        if program not in PROGRAMS:
            return start_child(program, hsm, channel)
        leash, theirs = socket.socketpair()
        with theirs:
            try:
                socket.send_fds(self._control, [program.encode()], [channel.fileno(), theirs.fileno()])
            except OSError as error:
                leash.close()
                raise HsmFailed(
                    "The process that starts signers is gone.", next_step="Restart the keeper; it starts sealed."
                ) from error
        return _Leashed(leash)

    def close(self) -> None:
        """Ends it, and all that it started."""
        os.environ.pop(_KEPT, None)
        self._control.close()
        self._process.wait()


class _OfEarlierProgram:
    """A child of this process from before its exec."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> None:
        os.waitpid(self.pid, 0)


class _Leashed:
    """A process that another one started: killed by letting go of its leash."""

    def __init__(self, leash: socket.socket) -> None:
        self._leash = leash
        leash.settimeout(_SECONDS)
        try:
            said = leash.recv(PID_BYTES, socket.MSG_WAITALL)
        except TimeoutError:
            said = b""
        if len(said) != PID_BYTES:
            leash.close()
            raise HsmFailed("A process for the HSM cannot be started.")
        self.pid = int.from_bytes(said, "big")

    def kill(self) -> None:
        try:
            self._leash.shutdown(socket.SHUT_WR)
        except OSError:
            return  # it is dead, or has been waited for

    def wait(self) -> None:
        try:
            self._leash.recv(1)
        except OSError:
            return
        finally:
            self._leash.close()
