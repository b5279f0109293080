"""A secret page is handed over an exec: the next program has it, nobody else opens it, and nothing is left."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from hsmpub.secret.page import SecretPage


@pytest.fixture
def page() -> SecretPage:
    made = SecretPage()
    if made.protection != "memfd_secret":
        pytest.skip("this kernel has no secret memory")
    made.take(bytearray(b"canary of a secret"))
    return made


def test_survives_an_exec_and_nobody_else_opens_it(page: SecretPage) -> None:
    """The child execs itself, as the keeper does; what it becomes moves the secret out and closes the page."""
    program = """
import os, sys
sys.path[:0] = {paths!r}
from hsmpub.secret.page import SecretPage
if len(sys.argv) == 1:
    page = SecretPage()
    page.take(bytearray(b"canary of " + b"a secret"))
    source = open("/proc/self/cmdline").read().split(chr(0))[2]
    os.execv(sys.executable, [sys.executable, "-c", source, str(page.hand_over())])
fd = int(sys.argv[1])
try:
    os.close(os.open(f"/proc/self/fd/{{fd}}", os.O_RDONLY))
    print("opened")
except OSError as error:
    print(error.strerror)
try:
    print(os.read(fd, 100))
except OSError as error:
    print(error.strerror)
page = SecretPage()
page.take_over(fd)
print(len(page), bytes(page.view) == b"canary of a" + b" secret")
try:
    os.fstat(fd)
except OSError as error:
    print(error.strerror)
"""
    done = subprocess.run([sys.executable, "-c", program.format(paths=sys.path)], capture_output=True, text=True,
                          timeout=60, check=True)  # fmt: skip
    opened, read, moved, closed = done.stdout.splitlines()
    assert opened == "No such device or address"
    assert read in ("Invalid argument", "Bad address")
    assert moved == "18 True"
    assert closed == "Bad file descriptor"


def test_the_page_stays_as_it_was_until_it_is_closed(page: SecretPage) -> None:
    fd = page.hand_over()
    assert os.get_inheritable(fd)
    assert bytes(page.view) == b"canary of a secret"
    with SecretPage() as other:
        other.take_over(fd)
        assert bytes(other.view) == b"canary of a secret"
    page.close()


def test_refuses_what_is_no_handed_over_page() -> None:
    reading, writing = os.pipe()
    os.close(writing)
    with SecretPage() as page:
        with pytest.raises((ValueError, OSError)):
            page.take_over(reading)
        assert len(page) == 0
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(reading)
