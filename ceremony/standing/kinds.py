"""Every standing ceremony by name."""

from __future__ import annotations

from collections.abc import Mapping

from ceremony.standing.break_glass import BREAK_GLASS
from ceremony.standing.kind import AnyKind

KINDS: Mapping[str, AnyKind] = {kind.name: kind for kind in (BREAK_GLASS,)}
