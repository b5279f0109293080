"""The process that looks into uploaded files for the keeper: `main()`, started by hsmpub.artifact.extraction.

python -I -S … hsmpub.artifact.extractor

It looks into none itself. For each it forks: the child has that one file, a pipe for its answer, nothing else within
reach (not even the keeper's log), and little memory, and is dead before the next file comes. So who uploaded a hostile
file has a process to spoil that never sees another's.
"""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import signal
import socket
import sys

import msgspec

from hsmpub.artifact.source import DescriptorSource
from hsmpub.errors import HsmpubError, Problem, TooLarge
from hsmpub.formats.registry import get_format
from hsmpub.sandbox import end_with, harden
from hsmpub.wire.pipe import receive_frame, send_frame

#: Of address space, the interpreter and its libraries (some 200 MiB) among them.
MEMORY_BYTES = 1 << 30
#: Of an order, whole.
MAX_ORDER_BYTES = 1 << 14
_IN, _OUT, _ERRORS = 0, 1, 2


class ExtractionTooLarge(TooLarge):
    advice = "The file is none of its kind, or asks for more memory than the service gives: sign it by its digest."


class Extract(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked: the details of the copy, of `size` bytes, for these formats."""

    formats: tuple[str, ...]
    size: int


class Extracted(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="extracted", tag_field="type"):
    """The answer, unless it is a problem. details: format name → detail."""

    details: dict[str, bytes]


_decode = msgspec.msgpack.Decoder(Extract).decode


def main() -> int:
    """Forks until its parent has no more questions. Exit status 70: it does not know what happened."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    nothing = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    harden("template", read=[os.devnull])  # a path, so that files are confined: none is needed any more
    orders = socket.socket(fileno=_IN)
    gc.freeze()  # what is here already is not looked over, and so not copied, by each child
    try:
        while True:
            order, copies, *_ = socket.recv_fds(orders, MAX_ORDER_BYTES, 1)
            if not order:
                return 0  # the keeper has no more questions, or is gone
            _have_looked_into(order, copies[0], nothing)
    except BaseException as error:
        print(f"hsmpub extractor: {type(error).__name__}", file=sys.stderr, flush=True)
        return 70


def _have_looked_into(order: bytes, copy: int, nothing: int) -> None:
    """Passes on what a child answers, and looks at nothing of it. Empty: it ended without an answer.

    There is no limit of time: the keeper has one, and ends this process, and so the child."""
    reading, writing = os.pipe()
    template = os.getpid()
    child = os.fork()
    if child == 0:
        try:
            os.close(_IN)
            os.close(_OUT)
            os.dup2(nothing, _ERRORS)
            end_with(template)
            harden("extractor")  # files stay confined as they are
            send_frame(writing, msgspec.msgpack.encode(_answer(_decode(order), copy)))
            os._exit(0)
        finally:
            os._exit(70)
    os.close(writing)
    os.close(copy)
    answer = b""
    try:
        with contextlib.suppress(EOFError):
            answer = receive_frame(reading)
        send_frame(_OUT, answer)
    finally:
        os.close(reading)
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    if not answer:
        print(f"hsmpub extractor: no answer, wait status {status:#06x}", file=sys.stderr, flush=True)


def _answer(order: Extract, copy: int) -> Extracted | Problem:
    source = DescriptorSource(copy, order.size)
    try:
        return Extracted({name: get_format(name).extract(source) for name in order.formats})
    except HsmpubError as error:
        return Problem.of(error)
    except MemoryError:
        return Problem.of(ExtractionTooLarge(f"Looking into the file takes over {MEMORY_BYTES >> 20} MiB."))
