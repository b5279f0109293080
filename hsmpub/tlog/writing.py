"""The process that writes the log for the keeper: `main()`, started by hsmpub.tlog.writer_process.

python -I -S … hsmpub.tlog.writing

It has the database, the head file and the socket to the keeper, and no secret of the HSM ever. It ends with the
keeper; a signal to end is the keeper's to act on, which may have something to log about it.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
from pathlib import Path

from hsmpub.errors import HsmpubError, Problem
from hsmpub.frames import ChannelBroken, pack_frame, read_frame, read_frames
from hsmpub.logs import log_to_stderr
from hsmpub.sandbox import end_with, harden
from hsmpub.tlog.committer import Committer, Held
from hsmpub.tlog.head import HeadFile
from hsmpub.tlog.orders import BEGIN, ORDER, Begun, Committed, Edge, Order
from hsmpub.tlog.sqlite import SqliteStore
from hsmpub.tlog.writer import MAX_ORDER_BYTES, failed

log = logging.getLogger("hsmpub.tlog")


def main() -> int:
    """Commits what comes at standard input until the keeper closes it. Exit status 1: it could not begin."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    log_to_stderr("log-writer")
    channel = socket.socket(fileno=os.dup(0))
    try:
        committer = _begin(channel)
        gc.freeze()  # what is there stays; a collection would only walk it again
        for order in read_frames(channel, ORDER, MAX_ORDER_BYTES):
            channel.sendall(pack_frame(_answer(committer, order)))
    except (ChannelBroken, BrokenPipeError, ConnectionResetError):
        pass  # nobody listens any more
    except HsmpubError as error:
        log.critical("%s", error, extra={"rule": error.rule})
        return 1
    return 0


def _begin(channel: socket.socket) -> Committer:
    begin = read_frame(channel, BEGIN)
    end_with(begin.parent)
    db = Path(begin.db)
    protections = harden("log-writer", write=[str(db.parent)])
    head, held = HeadFile.inherit(begin.head), Held.at(begin.edge.frontier())
    committer = Committer(SqliteStore(db), head, held, unsettled=begin.unsettled)
    channel.sendall(pack_frame(Begun(protections)))
    return committer


def _answer(committer: Committer, order: Order) -> Committed | Problem:
    try:
        return Committed(Edge.of(committer.commit(order.entries, order.checkpoint).frontier))
    except HsmpubError as error:
        return Problem.of(error)
    except Exception as error:  # whoever waits is told, as by a thread
        return Problem.of(failed(error))
