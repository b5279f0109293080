"""Who asks: the pins, and the CI session while one is open."""

from __future__ import annotations

from urllib.parse import quote

from hsmpub.client.session import CiSession
from hsmpub.client.trust import PinsMissing
from hsmpub.errors import Unauthenticated
from hsmpub.model.trust import Trust


class NoSession(Unauthenticated):
    advice = "Call open_session first."


class Asker:
    """What every ask may need. pins: of the service; needed wherever something secret or signed goes out or in."""

    def __init__(self, pins: Trust | None) -> None:
        self._trust = pins
        self._session: CiSession | None = None

    @property
    def trust(self) -> Trust:
        """The pins. Raises PinsMissing where none were given."""
        if self._trust is None:
            raise PinsMissing("The pins of the service are needed here, and none are named.")
        return self._trust

    @property
    def session(self) -> CiSession:
        """The open session. Raises NoSession."""
        if self._session is None:
            raise NoSession("No session is open.")
        return self._session


def part(name: str) -> str:
    """A name as one part of a path."""
    return quote(name, safe="")
