"""The files of both quorums' records: written, read, and refused where no ceremony writes such a one."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from hsmpub.errors import Broken
from hsmpub.model.digest import is_sha256_hex
from hsmpub.shares.plan import PlanUnfit, check_groups, fewest_holders
from hsmpub.shares.record import Quorum, RecoveryRecord, UnsealRecord


class RecordMalformed(Broken):
    advice = "The quorum's record was altered or damaged: restore it from the last backup."


_unseal = msgspec.json.Decoder(UnsealRecord)
_recovery = msgspec.json.Decoder(RecoveryRecord)
AnyRecord = TypeVar("AnyRecord", UnsealRecord, RecoveryRecord)


def dump_record(record: UnsealRecord | RecoveryRecord) -> bytes:
    """The record as indented JSON with a final newline."""
    return msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n"


def load_unseal_record(data: bytes) -> UnsealRecord:
    """The record of a file's bytes.

    Raises:
        RecordMalformed: not such a record, or one that no ceremony writes (1 of several holders, doubled names).
    """
    return _load(_unseal, data)


def load_recovery_record(data: bytes) -> RecoveryRecord:
    """As load_unseal_record."""
    return _load(_recovery, data)


def _load(decoder: msgspec.json.Decoder[AnyRecord], data: bytes) -> AnyRecord:
    try:
        record = decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as e:
        raise RecordMalformed(f"A quorum's record cannot be read: {e}.") from None
    check_quorum(record)
    return record


def check_quorum(record: Quorum) -> None:
    """Raises RecordMalformed unless groups, names, indexes and digests have the shape that a ceremony gives."""
    groups = record.groups
    try:
        counted = [(group.name, group.threshold, len(group.holders)) for group in groups]
        check_groups(record.group_threshold, counted, [holder.name for holder in record.holders])
    except PlanUnfit as unfit:
        raise RecordMalformed(f"The record is none that a ceremony writes: {unfit.detail}") from None
    if record.holders != tuple(holder for group in groups for holder in group.holders):
        raise RecordMalformed("The record's holders are not in the order of their groups.")
    if record.threshold != fewest_holders(record.group_threshold, [group.threshold for group in groups]):
        raise RecordMalformed(f"The record's groups do not make a threshold of {record.threshold}.")
    if any([h.index for h in group.holders] != list(range(len(group.holders))) for group in groups):
        raise RecordMalformed("The record's shares are not numbered in order.")
    verifiers = [holder.verifier for holder in record.holders if holder.verifier]
    if not all(map(is_sha256_hex, [record.check, *(h.commitment for h in record.holders), *verifiers])):
        raise RecordMalformed("A digest or key of the record is not 32 bytes in hex.")
    if record.epoch < 1:
        raise RecordMalformed(f"The record is of epoch {record.epoch}; epochs count from 1.")
