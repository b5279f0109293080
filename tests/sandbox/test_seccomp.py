"""The filter programs, interpreted here for both machines, so that neither is only hoped to be right."""

from __future__ import annotations

import errno
import platform
import struct

import pytest

from hsmpub.sandbox import seccomp
from hsmpub.sandbox.role import ROLES
from hsmpub.sandbox.seccomp import filter_program, forbid_system_calls

ALLOW, KILL = "allow", "kill"
MACHINES = ["x86_64", "aarch64"]
AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET = 1, 2, 10, 16, 17
CLONE_THREAD = 0x10000


def verdict(program: bytes, arch: int, number: int, argument: int = 0) -> str | int:
    """Runs classic BPF over struct seccomp_data. Returns ALLOW, KILL or an errno."""
    data = struct.pack("<IIQQ", number, arch, 0, argument)
    steps = [struct.unpack_from("=HBBI", program, at) for at in range(0, len(program), 8)]
    place, accumulator = 0, 0
    while True:
        code, when_true, when_false, k = steps[place]
        place += 1
        if code == 0x20:
            accumulator = struct.unpack_from("<I", data, k)[0]
        elif code == 0x06:
            return {0x7FFF0000: ALLOW, 0x80000000: KILL}.get(k, k & 0xFFFF)
        else:
            holds = {0x15: accumulator == k, 0x35: accumulator >= k, 0x45: bool(accumulator & k)}[code]
            place += when_true if holds else when_false


class Filter:
    def __init__(self, role: str, machine: str) -> None:
        self.arch, self.numbers, _ = seccomp._MACHINES[machine]
        self.program = filter_program(ROLES[role], machine)

    def __call__(self, name: str, argument: int = 0) -> str | int:
        return verdict(self.program, self.arch, self.numbers[name], argument)


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("role", ["signer", "vault", "unsealer", "ceremony"])
@pytest.mark.parametrize("call", ["socket", "connect", "bind", "listen", "execve", "execveat", "ptrace", "bpf"])
def test_refuses_network_and_programs_where_secrets_are(machine: str, role: str, call: str) -> None:
    assert Filter(role, machine)(call, AF_UNIX) == errno.EPERM


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("role", ["front", "keeper", "courier", "job", "signer"])
def test_nobody_sets_the_limits_of_another_process(machine: str, role: str) -> None:
    """A front of the keeper's own user could end it with a CPU limit, or stop its log with a file limit."""
    asked = Filter(role, machine)
    assert asked("prlimit64", 0) == ALLOW
    assert asked("prlimit64", 4711) == errno.EPERM
    for call in ("setpriority", "sched_setscheduler", "sched_setaffinity", "ioprio_set"):
        assert asked(call) == errno.EPERM


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("family", [AF_INET, AF_INET6, AF_NETLINK, AF_PACKET])
def test_refuses_the_keeper_every_socket_but_unix(machine: str, family: int) -> None:
    keeper = Filter("keeper", machine)
    assert keeper("socket", family) == errno.EPERM
    assert keeper("socket", AF_UNIX) == ALLOW
    assert keeper("connect") == ALLOW
    assert keeper("execve") == ALLOW


@pytest.mark.parametrize("machine", MACHINES)
def test_a_signer_may_start_threads_but_no_process(machine: str) -> None:
    signer = Filter("signer", machine)
    assert signer("clone", CLONE_THREAD | 0x100) == ALLOW
    assert signer("clone", 17) == errno.EPERM
    assert signer("clone3") == errno.ENOSYS


@pytest.mark.parametrize("machine", MACHINES)
def test_the_template_copies_itself_and_starts_nothing_and_a_copy_stays_bound(machine: str) -> None:
    template, extractor = Filter("template", machine), Filter("extractor", machine)
    assert template("clone", 17) == ALLOW
    for call in ("execve", "execveat", "socket", "connect"):
        assert template(call, AF_UNIX) == errno.EPERM
    assert extractor("clone", 17) == extractor("prctl", 1) == errno.EPERM


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("role", list(ROLES))
def test_nobody_debugs_or_uses_io_uring(machine: str, role: str) -> None:
    role_filter = Filter(role, machine)
    for call in ("ptrace", "process_vm_readv", "io_uring_setup", "pidfd_getfd", "bpf", "mount"):
        assert role_filter(call) == errno.EPERM


@pytest.mark.parametrize("role", list(ROLES))
def test_a_call_by_another_table_ends_the_process(role: str) -> None:
    i386 = 0x40000003
    assert verdict(filter_program(ROLES[role], "x86_64"), i386, 102) == KILL


def test_the_x32_table_is_no_way_around() -> None:
    signer = Filter("signer", "x86_64")
    assert verdict(signer.program, signer.arch, 0x40000000 | 41) == errno.EPERM


def test_reading_and_writing_are_allowed() -> None:
    signer = Filter("signer", "x86_64")
    assert verdict(signer.program, signer.arch, 0) == ALLOW
    assert verdict(signer.program, signer.arch, 1) == ALLOW


def test_says_why_it_is_off_on_a_machine_without_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    assert "riscv64" in forbid_system_calls(ROLES["signer"])
