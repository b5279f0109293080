"""After each unsealing, upgrade by permission and sealing the keeper writes what happened, signed, for auditors.

Unsealed, both the log key and the keeper's identity sign; sealed, the log key is out of reach, and the identity signs
alone. The facts are read back from the log; a transcript that cannot be written keeps nothing from being sealed.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hsmpub.errors import HsmpubError
from hsmpub.keeper.book import Book
from hsmpub.model import entry as e
from hsmpub.model.holder_act import load_permission
from hsmpub.model.terms import say_terms
from hsmpub.shares.record import UnsealRecord
from hsmpub.transcript.record import Recorder, Signer

log = logging.getLogger("hsmpub.keeper")

#: Entries between the first share and the unsealing: sealed, few things happen.
LOOK_BACK = 1000
#: Signs with the log key: 64 bytes of Ed25519.
Sign = Callable[[bytes], Awaitable[bytes]]


class Transcripts:
    """Writes `<index>-unseal.json`, `…-upgrade.json` and `…-seal.json`; the index is that of the log entry."""

    def __init__(self, folder: Path, book: Book, record: UnsealRecord, identity: Ed25519PrivateKey) -> None:
        self._folder = folder
        self._book = book
        self._record = record
        self._identity = identity
        #: why the last one could not be written, or empty
        self.trouble = ""

    async def unsealed(self, index: int, sign: Sign) -> None:
        """Who handed in what, when, under which terms, and which keys are open."""
        try:
            recorder = self._recorder("unseal")
            entry = e.load_entry(self._book.log.read(index))
            assert isinstance(entry, e.UnsealedBy)
            record = self._record
            recorder.record(
                "attempt", attempt=entry.attempt, epoch=entry.epoch, terms=_plain(entry.terms),
                unsealed=say_terms(entry.terms), threshold=record.threshold, group_threshold=record.group_threshold,
            )  # fmt: skip
            for at, share in self._shares(index, entry):
                recorder.record("share", holder=share.holder, handed_in=share.at, log_entry=at)
            keys = {key.name: key.kind for key in self._book.genesis.keys}
            recorder.record("unsealed", at_time=entry.at, holders=list(entry.holders), keys=keys, log_entry=index)
            self._record_log(recorder)
            signature = await sign(recorder.message())
            self._write(f"{index}-unseal.json", recorder, signature)
        except (HsmpubError, OSError) as error:
            self._failed(error)

    async def resumed(self, permitted: int, index: int, sign: Sign) -> None:
        """Who permitted the upgrade, for which code and until when, and what went on unsealed by it."""
        try:
            recorder = self._recorder("upgrade")
            given, entry = e.load_entry(self._book.log.read(permitted)), e.load_entry(self._book.log.read(index))
            assert isinstance(given, e.UpgradePermitted)
            assert isinstance(entry, e.Resumed)
            permission = load_permission(given.permission.encode())
            recorder.record(
                "permission", permission=entry.permission, epoch=permission.epoch, code=permission.code,
                begins=permission.begins, ends=permission.ends, holders=list(given.signatures), given_at=given.at,
                log_entry=permitted,
            )  # fmt: skip
            opened = self._book.state.opened
            assert opened is not None
            recorder.record(
                "resumed", at_time=entry.at, code=entry.code, unsealed_at=opened.index,
                unsealed_by=list(opened.holders), terms=_plain(opened.terms), signatures=opened.signatures,
                log_entry=index,
            )  # fmt: skip
            self._record_log(recorder)
            self._write(f"{index}-upgrade.json", recorder, await sign(recorder.message()))
        except (HsmpubError, OSError) as error:
            self._failed(error)

    def sealed(self, index: int) -> None:
        """Who or what sealed, why, and how many signatures had left."""
        try:
            recorder = self._recorder("seal")
            entry = e.load_entry(self._book.log.read(index))
            assert isinstance(entry, e.SealedBy)
            by = entry.person or entry.holder or "the keeper itself"
            recorder.record(
                "sealed", at_time=entry.at, by=by, reason=entry.reason, rule=entry.rule, nonce=entry.nonce,
                log_entry=index,
            )  # fmt: skip
            ended = self._book.state.ended
            if ended is not None:
                recorder.record(
                    "unsealing", log_entry=ended.index, terms=_plain(ended.terms), signatures=ended.signatures
                )
            self._record_log(recorder)
            self._write(f"{index}-seal.json", recorder, None)
        except (HsmpubError, OSError) as error:
            self._failed(error)

    def _recorder(self, ceremony: Any) -> Recorder:
        return Recorder(ceremony, self._book.genesis.service, self._book.now, lambda _: None, rehearsal=False)

    def _shares(self, index: int, unsealed: e.UnsealedBy) -> list[tuple[int, e.ShareHandedIn]]:
        """The last share of each holder in this attempt, in the order in which they came."""
        found: dict[str, tuple[int, e.ShareHandedIn]] = {}
        for at in range(index - 1, max(index - LOOK_BACK, 0) - 1, -1):
            entry = e.load_entry(self._book.log.read(at))
            if isinstance(entry, e.ShareHandedIn) and entry.attempt == unsealed.attempt:
                found.setdefault(entry.holder, (at, entry))
            if len(found) >= len(unsealed.holders):
                break
        return sorted((one for one in found.values() if one[1].holder in unsealed.holders), key=lambda one: one[0])

    def _record_log(self, recorder: Recorder) -> None:
        size, root = self._book.log.head
        recorder.record("log", size=size, root=root.hex())

    def _write(self, name: str, recorder: Recorder, signature: bytes | None) -> None:
        keeper_key = self._identity.public_key().public_bytes_raw().hex()
        own = self._identity.sign(recorder.message())
        signatures: list[tuple[Signer, str, bytes]] = [("keeper", keeper_key, own)]
        if signature is not None:
            signatures.insert(0, ("log", self._book.genesis.log_key, signature))
        self._folder.mkdir(exist_ok=True)
        fd = os.open(self._folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        with open(fd, "wb") as file:
            file.write(recorder.finish(signatures))
            file.flush()
            os.fsync(fd)
        self.trouble = ""

    def _failed(self, error: HsmpubError | OSError) -> None:
        detail = error.detail if isinstance(error, HsmpubError) else error.strerror or type(error).__name__
        self.trouble = detail
        log.warning("a transcript could not be written: %s", detail)


def _plain(value: msgspec.Struct) -> Any:
    return msgspec.to_builtins(value)
