"""The log at the end of a ceremony: begun by genesis, continued by restore, always left with a signed checkpoint."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from ceremony.log_snapshot import LogCopyAltered, iterate_log
from hsmpub.home import Home
from hsmpub.model import entry as e
from hsmpub.tlog.log import Log
from hsmpub.transcript.record import Sign

_MANY = 4096


def begin_log(home: Home, log_key: str, first: Sequence[e.Entry], sign: Sign) -> None:
    """A new log with its first entries and their checkpoint. Raises LogExists, LogUnavailable, NoteSignatureWrong."""
    home.log.parent.mkdir()
    log = Log.create(home.log, home.log_head, log_key=log_key, entries=[e.dump_entry(entry) for entry in first])
    _run(log, lambda: _sign_checkpoint(log, sign))


def continue_log(
    home: Home, log_key: str, copy: Path, measured: tuple[int, bytes], more: Sequence[bytes], last: e.Entry, sign: Sign
) -> None:
    """A new log with the entries of a copy, then these and a last one, and a checkpoint over all of them.

    measured: size and root of the copy; more: exact bytes.

    Raises:
        LogCopyAltered: the copy is not what was measured.
        LogExists, LogUnavailable, NoteSignatureWrong.
    """
    home.log.parent.mkdir()
    log = Log.create(home.log, home.log_head, log_key=log_key)

    async def write() -> None:
        for entries in iterate_log(copy):
            await log.append(entries)
        if log.head != measured:
            raise LogCopyAltered("The restored log is not the one in the backup.")
        for start in range(0, len(more), _MANY):
            await log.append(list(more[start : start + _MANY]))
        await log.append([e.dump_entry(last)])
        await _sign_checkpoint(log, sign)

    _run(log, write)


async def _sign_checkpoint(log: Log, sign: Sign) -> None:
    async def sign_note(message: bytes) -> bytes:
        return sign(message)

    await log.publish_checkpoint(sign_note)


def _run(log: Log, write: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        await write()

    try:
        asyncio.run(run())
    finally:
        log.close()
