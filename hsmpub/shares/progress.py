"""How far a gathering of shares is, group by group: for messages, for transcripts, and in a sentence."""

from __future__ import annotations

from collections.abc import Collection

from hsmpub.shares.record import Quorum
from hsmpub.wire.messages import GroupProgress


def group_progress(record: Quorum, accepted: Collection[str]) -> tuple[GroupProgress, ...]:
    """Each group with its holders and those who have handed in. A quorum without groups is one group named ""."""
    return tuple(
        GroupProgress(
            name=group.name,
            threshold=group.threshold,
            holders=tuple(holder.name for holder in group.holders),
            accepted=tuple(holder.name for holder in group.holders if holder.name in accepted),
        )
        for group in record.groups
    )


def progress_text(record: Quorum, accepted: Collection[str]) -> str:
    """`2 of 3`; with groups `operations 2 of 2, board 1 of 3`."""
    parts = [(group.name, f"{len(group.accepted)} of {group.threshold}") for group in group_progress(record, accepted)]
    return ", ".join(f"{name} {count}".strip() for name, count in parts)


def too_few(record: Quorum, accepted: Collection[str]) -> str:
    """What is missing, in a sentence."""
    if not record.group_rules:
        return f"{len(accepted)} of the {record.threshold} holders that are needed have handed in their shares."
    complete = sum(group.enough(accepted) for group in record.groups)
    counts = progress_text(record, accepted)
    return f"{complete} of the {record.group_threshold} groups that are needed are complete: {counts}."
