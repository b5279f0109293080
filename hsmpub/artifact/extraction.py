"""Looking into uploaded files (`Format.extract`) in a child: bounded in time and memory, whatever the file says.

A parser in this process would hold its interpreter: a file of some megabytes keeps one busy for seconds, and everybody
waits. Each file has a process of its own, forked from one that is ready (hsmpub.artifact.extractor): a fork takes three
milliseconds, a fresh interpreter some hundreds. None outlives a file that it could not read in time.
"""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import msgspec

from hsmpub.artifact.extractor import Extract, Extracted
from hsmpub.errors import Broken, Problem, TooLarge, Unavailable
from hsmpub.formats.format import Format
from hsmpub.formats.source import Details
from hsmpub.sandbox import python_command
from hsmpub.wire.pipe import receive_frame

PROGRAM = "hsmpub.artifact.extractor"
#: For any file, and for each 16 MiB of it: hashing takes a twentieth of that, unpacking a third.
SECONDS, BYTES_A_SECOND = 15.0, 16 << 20
#: A copy takes one part of so many of what is free.
PARTS_OF_THE_DISK = 4


class ExtractionTooLong(TooLarge):
    advice = "The file is none of its kind, or too intricate for the service: sign it by its digest, without --upload."


class ExtractorLost(Broken):
    advice = "Report the file's kind and size; other files are signed as before."
    retry_is_safe = True


class NoRoomToLook(Unavailable):
    advice = "Free some space on the keeper's disk, or sign the file by its digest, without --upload."


class Extraction:
    """A process that forks for each file. Not for several threads at once.

    folder: private to this process; copies have no name there.
    """

    def __init__(self, folder: Path, seconds: float = SECONDS) -> None:
        self._folder = folder
        self._seconds = seconds
        self._copy: tuple[IO[bytes], int] | None = None
        self._orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with theirs:
                self._child = subprocess.Popen(
                    python_command(PROGRAM), stdin=theirs.fileno(), stdout=subprocess.PIPE, bufsize=0
                )  # fmt: skip
        except BaseException:
            self._orders.close()
            raise

    def new_copy(self) -> IO[bytes]:
        """To be written: the copy of the next file, which nobody else can write to. The one before is gone."""
        self.drop_copy()
        number, name = tempfile.mkstemp(dir=self._folder)
        try:
            self._copy = os.fdopen(number, "wb", buffering=0), os.open(name, os.O_RDONLY | os.O_CLOEXEC)
        finally:
            os.unlink(name)
        return self._copy[0]

    def drop_copy(self) -> None:
        if self._copy is not None:
            self._copy[0].close()
            os.close(self._copy[1])
            self._copy = None

    def extract(self, name: str, formats: Sequence[Format], size: int) -> Details:
        """The details of the copy.

        Args:
            name: for messages; size: bytes of the copy.

        Raises:
            Refused: with a format's own rule, or `extraction-too-large`.
            ExtractionTooLong, ExtractorLost: and this one is of no more use.
        """
        assert self._child.stdout is not None
        assert self._copy is not None
        limit = self._seconds + size / BYTES_A_SECOND
        order = Extract(tuple(form.name for form in formats), size)
        try:
            socket.send_fds(self._orders, [msgspec.msgpack.encode(order)], [self._copy[1]])
            answer = _answers.decode(receive_frame(self._child.stdout.fileno(), limit))
        except TimeoutError:
            raise ExtractionTooLong(f"Looking into {name} took over {limit:.0f} seconds.") from None
        except (EOFError, OSError, msgspec.MsgspecError):
            raise ExtractorLost(f"The process that looked into {name} ended.") from None
        if isinstance(answer, Problem):
            raise answer.as_error()
        if set(answer.details) != set(order.formats):
            raise ExtractorLost(f"The process that looked into {name} answered something else.")
        return answer.details

    def close(self) -> None:
        """Ends it at once, whatever it does, and its child with it."""
        self._child.kill()
        self._child.wait()
        self._orders.close()
        if self._child.stdout is not None:
            self._child.stdout.close()
        self.drop_copy()


_answers: msgspec.msgpack.Decoder[Extracted | Problem] = msgspec.msgpack.Decoder(Extracted | Problem)


def check_room(copy: IO[bytes], size: int, name: str) -> None:
    """Asked before a file is copied: the log lies on that disk, and a file with a hole in it costs its sender nothing.

    Raises:
        NoRoomToLook.
    """
    disk = os.fstatvfs(copy.fileno())
    if size > disk.f_bavail * disk.f_frsize // PARTS_OF_THE_DISK:
        raise NoRoomToLook(f"There is no room to look into {name}, which has {size:,} bytes.")
