"""A receipt out of a log that says whatever a test has it say, under its own key."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

from hsmpub.model import entry as e
from hsmpub.receipt import build_receipt
from hsmpub.tlog.log import Log
from tests.keeper.keeping import LOG_KEY, LOG_SIGNER


def receipt_of(folder: Path, entries: Iterable[e.Entry]) -> bytes:
    """Of the request that the newest entry is about. What holders did is left out."""

    async def sign(message: bytes) -> bytes:
        return LOG_SIGNER.sign(message)

    folder.mkdir(exist_ok=True)
    kept = [entry for entry in entries if not isinstance(entry, e.ShareHandedIn | e.UnsealedBy)]
    data, about = [e.dump_entry(entry) for entry in kept], getattr(kept[-1], "request", None)
    wanted = [index for index, entry in enumerate(kept) if getattr(entry, "request", None) == about]
    log = Log.create(folder / "told.sqlite", folder / "told-head", log_key=str(LOG_KEY), entries=data)
    try:
        asyncio.run(log.publish_checkpoint(sign))
        return build_receipt(log.reader(), wanted)
    finally:
        log.close()
