"""What each kind of process may do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

RoleName = Literal[
    "keeper", "signer", "vault", "unsealer", "ceremony", "spawner", "extractor", "front", "courier", "job"
]
Sockets = Literal["none", "unix", "any"]


@dataclass(frozen=True)
class Role:
    """Rights that stay.

    Attributes:
        sockets: `none`: only what was inherited; `unix`: Unix sockets; `any`: the network too.
        spawn: may start processes.
    """

    sockets: Sockets
    spawn: bool


ROLES: dict[str, Role] = {
    "keeper": Role(sockets="unix", spawn=True),
    "signer": Role(sockets="none", spawn=False),
    "vault": Role(sockets="none", spawn=False),
    "unsealer": Role(sockets="none", spawn=False),
    "ceremony": Role(sockets="none", spawn=False),
    "extractor": Role(sockets="none", spawn=False),
    "spawner": Role(sockets="unix", spawn=True),
    "front": Role(sockets="any", spawn=True),
    "courier": Role(sockets="any", spawn=True),
    "job": Role(sockets="any", spawn=False),
}
