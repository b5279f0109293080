"""System calls that a process gives up, as a classic BPF program given to the kernel by ctypes.

A refused call fails with EPERM, so that a library which can do without it goes on. `clone3` fails with
ENOSYS: its flags are out of a filter's sight, and the C library then falls back to `clone`.
Sources: seccomp(2), linux/seccomp.h, linux/filter.h, linux/audit.h; numbers from the kernel's tables.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct

from hsmpub.sandbox.role import Role

_X86_64 = {
    "socket": 41, "connect": 42, "accept": 43, "accept4": 288, "bind": 49, "listen": 50,
    "clone": 56, "fork": 57, "vfork": 58, "clone3": 435, "execve": 59, "execveat": 322,
    "prctl": 157, "ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "pidfd_getfd": 438,
    "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427,
    "bpf": 321, "perf_event_open": 298, "userfaultfd": 323, "open_by_handle_at": 304,
    "kexec_load": 246, "kexec_file_load": 320, "init_module": 175, "finit_module": 313, "delete_module": 176,
    "add_key": 248, "request_key": 249, "keyctl": 250, "mount": 165, "umount2": 166, "pivot_root": 155,
    "unshare": 272, "setns": 308, "swapon": 167, "swapoff": 168, "reboot": 169, "seccomp": 317,
    "prlimit64": 302, "setpriority": 141, "ioprio_set": 251, "sched_setscheduler": 144, "sched_setparam": 142,
    "sched_setattr": 314, "sched_setaffinity": 203, "migrate_pages": 256, "move_pages": 279,
    "memfd_create": 319, "memfd_secret": 447, "shmget": 29, "msgget": 68, "semget": 64, "mq_open": 240,
}  # fmt: skip
_AARCH64 = {
    "socket": 198, "connect": 203, "accept": 202, "accept4": 242, "bind": 200, "listen": 201,
    "clone": 220, "clone3": 435, "execve": 221, "execveat": 281,
    "prctl": 167, "ptrace": 117, "process_vm_readv": 270, "process_vm_writev": 271, "pidfd_getfd": 438,
    "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427,
    "bpf": 280, "perf_event_open": 241, "userfaultfd": 282, "open_by_handle_at": 265,
    "kexec_load": 104, "kexec_file_load": 294, "init_module": 105, "finit_module": 273, "delete_module": 106,
    "add_key": 217, "request_key": 218, "keyctl": 219, "mount": 40, "umount2": 39, "pivot_root": 41,
    "unshare": 97, "setns": 268, "swapon": 224, "swapoff": 225, "reboot": 142, "seccomp": 277,
    "prlimit64": 261, "setpriority": 140, "ioprio_set": 30, "sched_setscheduler": 119, "sched_setparam": 118,
    "sched_setattr": 274, "sched_setaffinity": 122, "migrate_pages": 238, "move_pages": 239,
    "memfd_create": 279, "memfd_secret": 447, "shmget": 194, "msgget": 186, "semget": 190, "mq_open": 180,
}  # fmt: skip
#: machine → (AUDIT_ARCH, numbers, first number of a foreign table on the same machine)
_MACHINES: dict[str, tuple[int, dict[str, int], int | None]] = {
    "x86_64": (0xC000003E, _X86_64, 0x40000000),  # x32 calls carry this bit
    "aarch64": (0xC00000B7, _AARCH64, None),
}

#: Nobody here debugs, loads code into the kernel or leaves its namespaces; io_uring opens sockets unseen; and a
#: process of the same user can be starved by the calls of the last two lines.
_NEVER = (
    "ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd",
    "io_uring_setup", "io_uring_enter", "io_uring_register",
    "bpf", "perf_event_open", "userfaultfd", "open_by_handle_at",
    "kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module",
    "add_key", "request_key", "keyctl", "mount", "umount2", "pivot_root", "unshare", "setns",
    "swapon", "swapoff", "reboot",
    "setpriority", "ioprio_set", "sched_setscheduler", "sched_setparam", "sched_setattr", "sched_setaffinity",
    "migrate_pages", "move_pages",
)  # fmt: skip

#: Of a process that is bound to its parent: how it would free itself; and memory that no limit of address space counts,
#: or that stays when the process is gone.
_UNBOUND = ("prctl", "memfd_create", "memfd_secret", "shmget", "msgget", "semget", "mq_open")

_LOAD, _JUMP_EQ, _JUMP_GE, _JUMP_SET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCH, _FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data; both machines are little-endian
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_CLONE_THREAD = 0x00010000
_AF_UNIX = 1
_SET_MODE_FILTER, _FILTER_FLAG_TSYNC = 1, 1
_LIBC = ctypes.CDLL(None, use_errno=True)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def filter_program(role: Role, machine: str) -> bytes:
    """The BPF instructions for `role`, eight bytes each.

    Raises:
        KeyError: no table of system calls for this machine.
    """
    arch, numbers, foreign = _MACHINES[machine]
    program = [_op(_LOAD, k=_ARCH), _op(_JUMP_EQ, 1, 0, arch), _op(_RETURN, k=_KILL), _op(_LOAD, k=_NUMBER)]
    if foreign is not None:
        program += [_op(_JUMP_GE, 0, 1, foreign), _refuse()]
    denied = list(_NEVER)
    if role.sockets == "none":
        denied += ["socket", "connect", "accept", "accept4", "bind", "listen"]
    if not role.spawn:
        denied += ["execve", "execveat"]
        program += [_op(_JUMP_EQ, 0, 1, numbers["clone3"]), _refuse(errno.ENOSYS)]
    copies = role.spawn or role.fork
    if not copies:
        denied += ["fork", "vfork"]
    if role.bound:
        denied += _UNBOUND
    for name in denied:
        if name in numbers:
            program += [_op(_JUMP_EQ, 0, 1, numbers[name]), _refuse()]
    # Limits are set for oneself only: a CPU limit set from outside would kill the keeper, a file limit stop its log.
    own = _op(_JUMP_EQ, 1, 0, 0)
    program += [_op(_JUMP_EQ, 0, 4, numbers["prlimit64"]), _op(_LOAD, k=_FIRST_ARGUMENT), own, _refuse(), _allow()]
    if not copies:  # threads may be made, processes not
        test = _op(_JUMP_SET, 1, 0, _CLONE_THREAD)
        program += [_op(_JUMP_EQ, 0, 4, numbers["clone"]), _op(_LOAD, k=_FIRST_ARGUMENT), test, _refuse(), _allow()]
    if role.sockets == "unix":
        test = _op(_JUMP_EQ, 1, 0, _AF_UNIX)
        program += [_op(_JUMP_EQ, 0, 4, numbers["socket"]), _op(_LOAD, k=_FIRST_ARGUMENT), test, _refuse(), _allow()]
    return b"".join([*program, _allow()])


def forbid_system_calls(role: Role) -> str:
    """Installs the filter in every thread of this process; it cannot be taken off again.

    Needs no_new_privs. Returns "on", or why not.
    """
    machine = platform.machine()
    if machine not in _MACHINES:
        return f"no table of system calls for {machine}"
    code = filter_program(role, machine)
    program = _Program(len(code) // 8, code)
    number = _MACHINES[machine][1]["seccomp"]
    if _LIBC.syscall(number, _SET_MODE_FILTER, _FILTER_FLAG_TSYNC, ctypes.byref(program)) != 0:
        return f"the kernel refused the filter: {os.strerror(ctypes.get_errno())}"
    return "on"


def _op(code: int, when_true: int = 0, when_false: int = 0, k: int = 0) -> bytes:
    return struct.pack("=HBBI", code, when_true, when_false, k)


def _refuse(number: int = errno.EPERM) -> bytes:
    return _op(_RETURN, k=_ERRNO | number)


def _allow() -> bytes:
    return _op(_RETURN, k=_ALLOW)
