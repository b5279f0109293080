"""Drills: holders show that they could unseal, or restore, and nothing is unsealed or restored.

A drill's boxes and its announcement have contexts of their own: a share handed in for a drill is no unseal share,
and a holder who means a drill cannot be shown an unseal attempt.
"""

from __future__ import annotations

from typing import Protocol, Self

from hsmpub.shares.attempt import RecoveryAttempt
from hsmpub.shares.gathering import DRILL_CONTEXT, TooFewHolders
from hsmpub.shares.holder import Announced, check_announced, seal_share
from hsmpub.shares.identity import open_share_file
from hsmpub.shares.progress import too_few
from hsmpub.shares.proving import boxes_to_prove
from hsmpub.shares.record import Purpose, RecoveryRecord, UnsealRecord


class DrillFields(Announced, Protocol):
    """What an announced drill says; hsmpub.wire.messages.DrillReply has it."""

    @property
    def quorum(self) -> Purpose: ...


def drill_to_sign(quorum: Purpose, attempt: bytes, key: bytes, expires_at: int) -> bytes:
    """What the keeper's identity signs when it announces a drill."""
    return b"hsmpub drill v1 %b\n" % quorum.encode() + attempt + key + expires_at.to_bytes(8, "big")


def check_drill(drill: DrillFields, keeper_key: bytes, quorum: Purpose) -> None:
    """The pinned keeper announced this drill, and of this quorum. keeper_key: raw Ed25519, 32 bytes.

    Raises:
        AttemptNotOfKeeper: it did not.
    """
    check_announced(drill, drill_to_sign(quorum, drill.attempt, drill.key, drill.expires_at), keeper_key, "drill")


def box_for_drill(
    share_file: bytes | bytearray, identity: bytes | bytearray, drill: DrillFields, holder: str, keeper_key: bytes,
    quorum: Purpose,
) -> bytes:  # fmt: skip
    """The share, sealed so that only the process of this drill can read it. Arguments and rules: as box_for_attempt.

    quorum: the one that the holder means.
    """
    check_drill(drill, keeper_key, quorum)
    return seal_share(open_share_file(share_file, identity), drill.attempt, drill.key, holder, DRILL_CONTEXT)


class DrillAttempt(RecoveryAttempt):
    """One drill of either quorum: at the k-th share the child proves what they open, and ends."""

    @classmethod
    async def start_drill(
        cls, record: UnsealRecord | RecoveryRecord, *, now: int, lifetime: int, keeper_key: bytes
    ) -> Self:
        """keeper_key: the pinned one, raw Ed25519; otherwise as UnsealAttempt.start."""
        return await cls._start(record, now, lifetime, boxes_to_prove(record), drill=True, keeper_key=keeper_key)

    def proven(self) -> tuple[str, ...]:
        """What was shown. Raises TooFewHolders."""
        if not self._proven:
            raise TooFewHolders(too_few(self.record, self.accepted))
        return self._proven
