"""What of a repository expires soon: online roles are signed anew, of offline roles people are warned."""

from __future__ import annotations

from datetime import datetime

import msgspec

from hsmpub.client.tuf.building import seconds_left
from hsmpub.client.tuf.folder import Folder
from hsmpub.client.tuf.settings import TufSettings
from hsmpub.formats.tuf.metadata import ROLES, Role

#: What is signed with people's approval, and so not by a timer.
OFFLINE: tuple[Role, ...] = ("root", "targets")


class Standing(msgspec.Struct, frozen=True):
    """A role's newest metadata. version 0: there is none; left: seconds until it expires."""

    role: Role
    version: int
    left: float
    is_due: bool

    @property
    def sentence(self) -> str:
        if not self.version:
            return f"{self.role}: nothing is published yet"
        when = f"expires in {self.left / 86_400:.1f} days" if self.left > 0 else "HAS EXPIRED"
        return f"{self.role}: version {self.version}, {when}{'; sign it anew' if self.is_due else ''}"


def standings(folder: Folder, settings: TufSettings, now: datetime) -> list[Standing]:
    """Where each role stands. Raises TufMetadataUnreadable."""
    found = []
    for role in ROLES:
        held = folder.latest(role)
        if held is None:
            found.append(Standing(role, 0, 0, True))
            continue
        left = seconds_left(held.signed, now)
        found.append(Standing(role, held.signed.version, left, left <= settings.role(role).renew))
    return found
