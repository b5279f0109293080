"""What may be signed now: the signers while there are any, and what the terms of the unsealing leave."""

from __future__ import annotations

from hsmpub.errors import Sealed
from hsmpub.hsm.pool import Signers
from hsmpub.keeper.live import Live
from hsmpub.keeper.opening import Opening
from hsmpub.secret.page import SecretPage


class Access:
    """Sealed, until somebody (`hsmpub.keeper.unsealing`) puts live signers here."""

    def __init__(self) -> None:
        self._live: Live | None = None

    @property
    def is_unsealed(self) -> bool:
        return self._live is not None

    @property
    def opening(self) -> Opening | None:
        """What this unsealing allows; None while sealed."""
        return None if self._live is None else self._live.opening

    @property
    def alive(self) -> int:
        """Signers at work."""
        return 0 if self._live is None else self._live.signers.alive

    @property
    def pin(self) -> SecretPage | None:
        """For the program that this process turns into, and for nobody else."""
        return None if self._live is None else self._live.pin

    @property
    def fewer(self) -> str:
        """Why fewer signers are at work than were asked for, or empty."""
        return "" if self._live is None else self._live.signers.fewer

    @property
    def log_signers(self) -> Signers | None:
        """For the log key, which terms do not count; None while sealed."""
        return None if self._live is None else self._live.signers

    def live(self) -> tuple[Signers, Opening]:
        """Raises Sealed, UnsealTimeOver."""
        signers, opening = self._held()
        opening.check_time()
        return signers, opening

    def signers(self) -> Signers:
        """For what the terms do not count. Raises Sealed, UnsealTimeOver."""
        return self.live()[0]

    def is_for(self, project: str) -> bool:
        """Whether the terms name this project, or none."""
        projects = self.opening.opened.terms.projects if self.opening else ()
        return projects is None or project in projects

    def check_project(self, project: str) -> None:
        """Raises Sealed, UnsealTimeOver, ProjectNotUnsealed."""
        self._held()[1].check_project(project)

    def check_whole(self, what: str) -> None:
        """What belongs to no project waits while the terms name some.

        Raises:
            Sealed, UnsealTimeOver, ProjectNotUnsealed.
        """
        self.live()[1].check_whole(what)

    def signing(self, project: str, count: int) -> Taken:
        """So many signatures may be made, logged and let go inside: `with … as signers`.

        Raises:
            Sealed, UnsealTimeOver, ProjectNotUnsealed, TooFewSignaturesLeft.
        """
        signers, opening = self._held()
        opening.take(project, count)
        return Taken(signers, opening, count)

    def _held(self) -> tuple[Signers, Opening]:
        """Whether the terms allow anything, nobody has asked yet. Raises Sealed."""
        live = self._live
        if live is None or live.opening is None:
            raise Sealed("The service is sealed.")
        return live.signers, live.opening


class Taken:
    """Signatures that were taken, given back at the end. Made by `Access.signing` for a `with` at once."""

    __slots__ = ("_count", "_opening", "_signers")

    def __init__(self, signers: Signers, opening: Opening, count: int) -> None:
        self._signers = signers
        self._opening = opening
        self._count = count

    def __enter__(self) -> Signers:
        return self._signers

    def __exit__(self, *_: object) -> None:
        self._opening.give_back(self._count)
