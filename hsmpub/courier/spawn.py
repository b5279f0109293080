"""Starts one child for one task, waits for its report, and never longer than the task may take."""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import time

import msgspec

from hsmpub.courier.task import MAX_FRAME_BYTES, Report, Task, dump, load_report
from hsmpub.errors import Unavailable
from hsmpub.sandbox import python_command

#: What a child needs of the environment: where certificates lie. No proxy variable, nothing of the person's own.
_PASSED_ON = ("SSL_CERT_FILE", "SSL_CERT_DIR")


class ChildLost(Unavailable):
    """The child ended or was ended without a report: what it did is unknown."""

    advice = "The target is read back before anything is tried again."


class Children:
    """Starts children of this courier.

    Args:
        token: the courier channel's token; only children that publish get it, by a pipe.
        lock: descriptor of the courier's lock. Children hold it too, so that another courier cannot begin while a
            child of this one still lives.
    """

    def __init__(self, token: bytes, lock: int) -> None:
        self._token = token
        self._lock = lock

    def run(self, task: Task, patience: float, trusted: bool) -> Report:
        """Does `task` in a child of its own.

        Args:
            patience: seconds after which the child is killed. trusted: it may speak to the keeper.

        Raises:
            ChildLost: no report.
        """
        argv, fds = python_command("hsmpub.courier.child"), [self._lock]
        token_fd = _filled_pipe(self._token) if trusted and self._token else -1
        if token_fd >= 0:
            argv.append(str(token_fd))
            fds.append(token_fd)
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        try:
            process = subprocess.Popen(
                argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=fds, env=environment, cwd="/",
                start_new_session=True,
            )  # fmt: skip
        finally:
            if token_fd >= 0:
                os.close(token_fd)
        with process:
            try:
                return _converse(process, dump(task), time.monotonic() + patience)
            finally:
                process.kill()


def _converse(process: subprocess.Popen[bytes], task: bytes, until: float) -> Report:
    """Stdin stays open while the child works: its end is the child's."""
    assert process.stdin is not None
    assert process.stdout is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(len(task).to_bytes(4, "big") + task)
        process.stdin.flush()
    data = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while not _is_whole(data):
            if not selector.select(max(0.0, until - time.monotonic())):
                raise ChildLost("The child took too long and was ended.")
            piece = os.read(process.stdout.fileno(), 65536)
            if not piece or len(data) > MAX_FRAME_BYTES:
                raise ChildLost("The child ended without a report.")
            data += piece
    try:
        return load_report(data[4:])
    except msgspec.MsgspecError:
        raise ChildLost("The child's report cannot be read.") from None


def _is_whole(data: bytearray) -> bool:
    return len(data) >= 4 and len(data) >= 4 + int.from_bytes(data[:4], "big")


def _filled_pipe(data: bytes) -> int:
    reading, writing = os.pipe()
    os.write(writing, data)
    os.close(writing)
    return reading
