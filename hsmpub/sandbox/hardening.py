"""One call at the start of a process that gives up what its role never needs.

| protection | what it stops |
|---|---|
| `no-debugger` | other processes of the same user reading memory or environment (PR_SET_DUMPABLE) |
| `no-core-file` | memory in core files (RLIMIT_CORE) |
| `no-new-privileges` | set-uid programs (PR_SET_NO_NEW_PRIVS) |
| `system-calls` | the network, new processes, debugging, as the role says (seccomp) |
| `files` | paths that were not named (Landlock) |
| `tcp` | TCP a second time (Landlock, ABI 4) |
| `signals` | signals and abstract sockets out of the sandbox (Landlock, ABI 6) |
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
import sysconfig
from collections.abc import Collection, Iterable

from hsmpub.errors import Unavailable
from hsmpub.sandbox.landlock import confine, landlock_abi
from hsmpub.sandbox.python import import_paths
from hsmpub.sandbox.role import ROLES, Role, RoleName
from hsmpub.sandbox.seccomp import forbid_system_calls

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
_LIBC = ctypes.CDLL(None, use_errno=True)

#: What an interpreter and its libraries read while they run.
_SYSTEM = ("/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/ssl", "/etc/localtime", "/dev/urandom", "/proc/cpuinfo")
_PACKAGES = ("hsmpub", "api", "ceremony")
_NETWORK = ("/etc", "/run/systemd/resolve")
#: Of ceremonies, and of modules other than SoftHSM.
_ANY_FILE = (
    "it opens files that people or the HSM's module name, so none is out of its reach; "
    "let nothing else run on this machine meanwhile"
)


class ProtectionMissing(Unavailable):
    """A protection that the caller insists on cannot be had here."""

    advice = "Use a kernel that has it, or drop it from the required protections."
    retry_is_safe = False


def harden(
    role: RoleName,
    *,
    read: Iterable[str] = (),
    write: Iterable[str] = (),
    execute: Iterable[str] = (),
    local: bool = False,
    network: bool = False,
    required: Collection[str] = (),
) -> dict[str, str]:
    """Drops what `role` does not need, for good; call it before threads start and before secrets arrive.

    Args:
        read, write, execute: paths that stay usable, with all beneath them. The interpreter and its
            libraries are readable anyway; a role that spawns may execute the interpreter. With none of
            the three the file system stays open, and the report says so.
        local: this process needs Unix sockets although its role does not (an HSM behind a daemon of its maker).
        network: it needs the network too (an HSM behind TCP).
        required: protections that must be on.

    Returns:
        Name of each protection → "on", or the reason why it is off.

    Raises:
        ProtectionMissing: a required protection is off.
    """
    rights = ROLES[role]
    if network:
        rights = Role(sockets="any", spawn=rights.spawn)
    elif local and rights.sockets == "none":
        rights = Role(sockets="unix", spawn=rights.spawn)
    report = {
        "no-debugger": _prctl(_PR_SET_DUMPABLE, 0),
        "no-core-file": _no_core_file(),
        "no-new-privileges": _prctl(_PR_SET_NO_NEW_PRIVS, 1),
    }
    report |= _confine(rights, list(read), list(write), list(execute))
    report["system-calls"] = forbid_system_calls(rights)
    missing = [name for name in required if report.get(name) != "on"]
    if missing:
        reasons = "; ".join(f"{name}: {report.get(name, 'unknown protection')}" for name in missing)
        raise ProtectionMissing(f"This machine lacks required protections ({reasons}).")
    return report


def hide() -> dict[str, str]:
    """For a process that must stay free otherwise, and holds something that other programs of its user must not read:
    no debugger, no core file. What it starts is not hidden by this."""
    return {"no-debugger": _prctl(_PR_SET_DUMPABLE, 0), "no-core-file": _no_core_file()}


def end_with(parent: int) -> None:
    """This process is killed when its parent, of this id, ends; it ends here if that was so already. A role that is
    `bound` cannot take it back."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _prctl(option: int, value: int) -> str:
    zero = ctypes.c_ulong(0)
    if _LIBC.prctl(option, ctypes.c_ulong(value), zero, zero, zero) != 0:
        return f"the kernel refused: {os.strerror(ctypes.get_errno())}"
    return "on"


def _no_core_file() -> str:
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (OSError, ValueError) as error:
        return f"the limit was refused: {error}"
    return "on"


def _confine(role: Role, read: list[str], write: list[str], execute: list[str]) -> dict[str, str]:
    abi = landlock_abi()
    if abi == 0:
        return dict.fromkeys(("files", "tcp", "signals"), "the kernel has no Landlock, or it is not enabled")
    files = bool(read or write or execute)
    if files:
        read = [*read, *_runtime(role)]
    tcp = role.sockets == "any"
    if role.spawn:
        execute = [*execute, *_interpreter()]
    try:
        confine(
            files=files,
            read=read,
            write=[*write, "/dev/null"],
            execute=execute,
            tcp=tcp,
            abi=abi,
            look=_checkouts() if files else (),
        )
    except OSError as error:
        return dict.fromkeys(("files", "tcp", "signals"), f"the kernel refused: {error.strerror}")
    old = "the kernel's Landlock is too old (ABI {}, needs {})"
    return {
        "files": "on" if files else _ANY_FILE,
        "tcp": "this role needs the network" if tcp else "on" if abi >= 4 else old.format(abi, 4),
        "signals": "on" if abi >= 6 else old.format(abi, 6),
    }


def _runtime(role: Role) -> list[str]:
    own = [sys.base_prefix, sys.base_exec_prefix, sys.prefix, *sysconfig.get_paths().values()]
    system = [*_SYSTEM, *(_NETWORK if role.sockets == "any" else ())]
    return list(dict.fromkeys([*system, *own, *_code()]))


def _checkouts() -> list[str]:
    """Folders that hold this code and perhaps more: a home may lie in a checkout, as the demo's does. Of them only the
    packages are read; an interpreter that starts there must list them."""
    libraries = set(sysconfig.get_paths().values())
    return [path for path in import_paths() if path not in libraries and os.path.isdir(os.path.join(path, "hsmpub"))]


def _code() -> list[str]:
    """Where modules come from."""
    checkouts = _checkouts()
    packages = [os.path.join(path, name) for path in checkouts for name in _PACKAGES]
    return [*packages, *(path for path in import_paths() if path not in checkouts)]


def _interpreter() -> list[str]:
    """The interpreter and the loader that the kernel opens for it."""
    loaders = ("/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1")
    return [os.path.realpath(sys.executable), *(path for path in loaders if os.path.exists(path))]
