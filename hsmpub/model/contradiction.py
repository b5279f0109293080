"""What a log cannot say, unless somebody altered it."""

from __future__ import annotations

from hsmpub.errors import Broken


class LogContradictsItself(Broken):
    advice = "The log holds an entry that cannot follow the ones before it: it was altered. Restore from a backup."


def require(holds: bool, index: int, what: str) -> None:
    """Raises LogContradictsItself. index: of the entry that is `what`, which cannot be."""
    if not holds:
        raise LogContradictsItself(f"Entry {index} of the log is {what}.")
