"""Shares of a quorum's secret: records, SLIP-39, the child processes that split and combine.

Two quorums: *unseal* (its secret opens the box with the token's PIN) and *recovery* (its secret is the private key
of the backups). A secret lives only in short-lived child processes; what the keeper and the ceremony hold are
records, sealed boxes and, in a SecretPage, the PIN.
"""

from __future__ import annotations

from hsmpub.shares.attempt import AttemptExpired, AttemptLost, RecoveryAttempt, UnsealAttempt
from hsmpub.shares.holder import box_for_attempt, check_own_share
from hsmpub.shares.record import RecoveryRecord, UnsealRecord
from hsmpub.shares.record_file import load_recovery_record, load_unseal_record

__all__ = [
    "AttemptExpired",
    "AttemptLost",
    "RecoveryAttempt",
    "RecoveryRecord",
    "UnsealAttempt",
    "UnsealRecord",
    "box_for_attempt",
    "check_own_share",
    "load_recovery_record",
    "load_unseal_record",
]
