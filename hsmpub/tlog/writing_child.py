"""The process that writes the log, from the side of the one that started it: frames out, answers in, its end."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess

import msgspec

from hsmpub.errors import Problem
from hsmpub.frames import ChannelBroken, cut_frames, pack_frame
from hsmpub.sandbox import python_command
from hsmpub.tlog.committer import Held
from hsmpub.tlog.orders import ANSWER, Begin, Begun, Committed, Edge

PROGRAM = "hsmpub.tlog.writing"
_PIECE = 64 * 1024  # four answers; for more, the allocator asks the system for memory each time


class WritingChild:
    """One process with its channel. Nothing here waits, unless it is told to."""

    def __init__(self, db: str, head: int, held: Held, *, unsettled: bool) -> None:
        """Starts it, with handle `head` of the head file; see `Begin`. Raises OSError: the system has no more."""
        self.channel, theirs = socket.socketpair()
        with theirs:
            try:
                self.process = subprocess.Popen(
                    python_command(PROGRAM),
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    env={"LC_ALL": "C.UTF-8"},
                    pass_fds=(head,),
                    start_new_session=True,  # an interrupt at the terminal is for the parent to handle
                )
            except BaseException:
                self.channel.close()
                raise
        self._unsent = memoryview(b"")
        self._received = bytearray()
        self.send(pack_frame(Begin(db, head, os.getpid(), Edge.of(held.frontier), unsettled)))
        self.push(wait=True)

    def send(self, frame: bytes) -> None:
        """To be sent by `push`, when all before it has left."""
        self._unsent = memoryview(frame)

    def push(self, *, wait: bool) -> bool:
        """Sends what the channel takes; with `wait` all of it. Says whether all has left."""
        try:
            while self._unsent:
                sent = self.channel.send(self._unsent, 0 if wait else socket.MSG_DONTWAIT)
                self._unsent = self._unsent[sent:]
        except BlockingIOError:
            return False
        except OSError:  # it is gone, or was sent half a frame; `pull` finds the end of the channel in any case
            self._unsent = memoryview(b"")
            with contextlib.suppress(OSError):
                self.channel.shutdown(socket.SHUT_RDWR)
        return True

    def pull(self, *, wait: bool) -> list[Begun | Committed | Problem]:
        """What has come.

        Raises:
            ChannelBroken: it is gone, or out of step.
        """
        try:
            data = self.channel.recv(_PIECE, 0 if wait else socket.MSG_DONTWAIT)
            if not data:
                raise ChannelBroken("it ended")
            self._received += data
            return [ANSWER.decode(frame) for frame in cut_frames(self._received)]
        except BlockingIOError:
            return []
        except (OSError, msgspec.MsgspecError) as error:
            raise ChannelBroken(f"the channel failed: {type(error).__name__}") from error

    def end(self, *, at_once: bool) -> None:
        """Reaped when this returns. Without `at_once` it does first what it was asked."""
        self.channel.close()
        if at_once:
            self.process.kill()
        self.process.wait()
