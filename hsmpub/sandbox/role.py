"""What each kind of process may do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

RoleName = Literal[
    "keeper",
    "log-writer",
    "signer",
    "vault",
    "unsealer",
    "ceremony",
    "spawner",
    "template",
    "extractor",
    "front",
    "courier",
    "job",
]
Sockets = Literal["none", "unix", "any"]


@dataclass(frozen=True)
class Role:
    """Rights that stay.

    Attributes:
        sockets: `none`: only what was inherited; `unix`: Unix sockets; `any`: the network too.
        spawn: may start processes.
        fork: may make copies of itself, which start no program.
        bound: cannot free itself from ending with its parent (`end_with`), nor leave memory behind.
    """

    sockets: Sockets
    spawn: bool
    fork: bool = False
    bound: bool = False


ROLES: dict[str, Role] = {
    "keeper": Role(sockets="unix", spawn=True),
    "log-writer": Role(sockets="none", spawn=False, bound=True),
    "signer": Role(sockets="none", spawn=False),
    "vault": Role(sockets="none", spawn=False),
    "unsealer": Role(sockets="none", spawn=False),
    "ceremony": Role(sockets="none", spawn=False),
    "template": Role(sockets="none", spawn=False, fork=True),
    "extractor": Role(sockets="none", spawn=False, bound=True),
    "spawner": Role(sockets="unix", spawn=True),
    "front": Role(sockets="any", spawn=True),
    "courier": Role(sockets="any", spawn=True),
    "job": Role(sockets="any", spawn=False),
}
