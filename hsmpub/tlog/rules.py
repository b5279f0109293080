"""The rules by which a log is refused, and one that keeps it waiting.

Broken
├── LogAltered       a row is not what was logged (names the entry)
├── LogTruncated     rows are missing
├── LogRolledBack    the database is an older copy of itself
├── LogForked        another history than the one that was held or signed
├── LogForeign       entries that the keeper never wrote
├── LogDamaged       SQLite cannot read the file
├── CheckpointForged the stored checkpoint is not one that the log key signed for this log
└── HeadDamaged      the head file is unreadable
"""

from __future__ import annotations

from hsmpub.errors import Broken, Conflict, HsmpubError, NotFound, Problem, Unavailable, rule_name

_RESTORE = "Restore the newest copy of the log database beside the untouched head file."


class _LogBroken(Broken):
    pass


class LogAltered(_LogBroken):
    """index: the entry that is not what was logged, or the first of those under an altered hash tile."""

    advice = f"Somebody edited the log database, or the disk did. {_RESTORE}"

    def __init__(self, detail: str, index: int) -> None:
        super().__init__(detail)
        self.index = index


class LogTruncated(_LogBroken):
    """index: the first entry that is missing."""

    advice = f"Entries that were logged are gone. {_RESTORE}"

    def __init__(self, detail: str, index: int) -> None:
        super().__init__(detail)
        self.index = index


class LogRolledBack(_LogBroken):
    advice = f"The log database is an older copy than what was acknowledged. {_RESTORE}"


class LogForked(_LogBroken):
    advice = f"The log database tells another history than the one that was acknowledged or signed. {_RESTORE}"


class LogForeign(_LogBroken):
    advice = f"The log database holds entries that the keeper never wrote. {_RESTORE}"


class LogDamaged(_LogBroken):
    advice = f"The log database cannot be read. {_RESTORE}"


class CheckpointForged(_LogBroken):
    advice = f"Somebody edited the stored checkpoint, or the wrong log key is pinned. {_RESTORE}"


class HeadDamaged(_LogBroken):
    advice = "The head file cannot be read; without it a rolled-back log would go unseen. Restore it from a backup."


#: What an open log may turn out to be: each shows that somebody else, or the disk, changed it.
LOG_BROKEN = (
    LogAltered, LogTruncated, LogRolledBack, LogForked, LogForeign, LogDamaged, CheckpointForged, HeadDamaged,
)  # fmt: skip


class LogAbsent(NotFound):
    advice = "Run 'hsmpub-ceremony genesis' first, or name the right home."


class LogExists(Conflict):
    advice = "A log is never overwritten. Name another home."


class LogInUse(Conflict):
    advice = "Another keeper runs on this home; stop it first."


class LogUnavailable(Unavailable):
    """Nothing was acknowledged, nothing is lost; the log works on when there is room."""

    advice = "Make room on the disk of the log, or look at the disk; then try again."


class LogClosed(Unavailable):
    advice = "The keeper is stopping; try again when it is back."


class CheckpointPending(Unavailable):
    advice = "The log key signs checkpoints only while the service is unsealed; ask again later."


class NotInLog(NotFound):
    advice = "The log is shorter than that; ask again later, or check the number."


class WriterBroken(Broken):
    """Nothing was acknowledged; the next request has a new process, which takes back what may be durable all the same.
    If the keeper ends before there is one, that stays in the log: a retry may then be the second entry."""

    advice = "Look at the keeper's log and at the machine's memory, and whether the log has it; then send it again."


_OF_WRITING = {rule_name(rule): rule for rule in (LogUnavailable, LogDamaged, WriterBroken)}


def as_rule(problem: Problem) -> HsmpubError:
    """The error that the process which writes the log met, as its own class."""
    rule = _OF_WRITING.get(problem.rule)
    return problem.as_error() if rule is None else rule(problem.detail, next_step=problem.next_step)
