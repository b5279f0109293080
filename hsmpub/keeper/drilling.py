"""Drills: a quorum shows through the running keeper, sealed or not, that it could unseal or restore.

It goes as an unseal attempt does, with boxes that open nothing else. The child proves what the secret opens and ends;
the keeper signs the dated evidence, puts it beside the other ceremonies' and logs its digest.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hsmpub.keeper.book import Book
from hsmpub.keeper.drill import Drill
from hsmpub.shares.record import RecoveryRecord, UnsealRecord
from hsmpub.tlog.note import NoteSigner
from hsmpub.wire import messages as m

log = logging.getLogger("hsmpub.keeper")


class Drilling:
    """One drill of each quorum at a time.

    Args:
        shelf: the home's folder of ceremonies.
        log_sign: the signature function of the log key while unsealed, else None.
    """

    def __init__(
        self,
        book: Book,
        unseal: UnsealRecord,
        recovery: RecoveryRecord,
        identity: Ed25519PrivateKey,
        shelf: Path,
        log_sign: Callable[[], NoteSigner | None],
    ) -> None:
        self._log_sign = log_sign
        self._drills = {
            "unseal": Drill("unseal", unseal, book, identity, shelf),
            "recovery": Drill("recovery", recovery, book, identity, shelf),
        }

    async def attempt(self, message: m.GetDrill) -> m.DrillReply:
        """The open drill of a quorum; opens one when there is none or its time is over."""
        return await self._drills[message.quorum].attempt()

    async def hand_in(self, message: m.HandInDrill) -> m.DrillHandInReply:
        """Takes or refuses one share at once; the last one needed ends the drill with its evidence.

        Raises:
            AttemptOver, and the rules of hsmpub.shares: nothing changed.
            EvidenceNotWritten, and the rules of the log: everybody hands in again.
        """
        return await self._drills[message.quorum].hand_in(message, self._log_sign())

    async def close(self) -> None:
        for drill in self._drills.values():
            await drill.end()
