"""Files that were refused, each with its reason: one that many have is said once, and all are named at the end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hsmpub.cli.say import note
from hsmpub.cli.visible import visible
from hsmpub.errors import HsmpubError, Problem, Refused

#: Before a reason; at the end each file is named.
_MOST_NAMED = 8


def problem_of(error: HsmpubError) -> Problem:
    """As the service said it, where it did."""
    return error.problem if isinstance(error, Refused) else Problem.of(error)


class Refusals:
    """Of one command, in the order in which they came."""

    def __init__(self) -> None:
        self._of: dict[str, list[str]] = {}
        self._said: set[tuple[str, str]] = set()

    def add(self, path: Path, problem: Problem) -> None:
        reason = f"{problem.detail} {problem.next_step}".rstrip()
        names = self._of.setdefault(reason, [])
        if visible(str(path)) not in names:
            names.append(visible(str(path)))

    def add_all(self, paths: Iterable[Path], problem: Problem) -> None:
        """One reason for all of them."""
        for path in paths:
            self.add(path, problem)

    def __bool__(self) -> bool:
        return bool(self._of)

    @property
    def names(self) -> list[str]:
        """Each file once."""
        return list(dict.fromkeys(name for names in self._of.values() for name in names))

    def say(self) -> None:
        """Each reason that was not said yet, behind the files that it is for."""
        for reason, names in self._of.items():
            new = [name for name in names if (reason, name) not in self._said]
            self._said.update((reason, name) for name in new)
            if new:
                more = f" and {len(new) - _MOST_NAMED} more" if len(new) > _MOST_NAMED else ""
                note(f"{', '.join(new[:_MOST_NAMED])}{more}: {reason}")

    @contextmanager
    def told(self) -> Iterator[None]:
        """Says them at the end, however it ends."""
        try:
            yield
        finally:
            self.say()
