"""The wrapped keys of a recovery record, which every backup takes along."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from hsmpub.shares.record import RecoveryRecord


def without_keys(record: RecoveryRecord, names: Collection[str]) -> RecoveryRecord:
    """The backup without these keys; a birth that has no key left goes as a whole."""
    births = [
        msgspec.structs.replace(one, wrapped=tuple(key for key in one.wrapped if key.name not in names))
        for one in record.births
    ]
    return msgspec.structs.replace(
        record,
        wrapped=tuple(key for key in record.wrapped if key.name not in names),
        births=tuple(one for one in births if one.wrapped),
    )
