"""How far the shares of a quorum are, in what holders and everybody see."""

from __future__ import annotations

from typing import Literal

import msgspec

from hsmpub.model.terms import Terms

QuorumName = Literal["unseal", "recovery"]


class GroupProgress(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A group of the quorum: so many of its holders are needed, these have handed in. name: empty in a quorum
    without groups, which is one."""

    name: str
    threshold: int
    holders: tuple[str, ...]
    accepted: tuple[str, ...]


class Gathered(msgspec.Struct, frozen=True):
    """Holders who have handed in under these terms, also by group."""

    terms: Terms
    accepted: tuple[str, ...]
    groups: tuple[GroupProgress, ...]
