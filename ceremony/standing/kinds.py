"""Every standing ceremony by name."""

from __future__ import annotations

from collections.abc import Mapping

from ceremony.standing.break_glass import BREAK_GLASS
from ceremony.standing.kind import AnyKind
from ceremony.standing.pin_change import PIN_CHANGE, SO_PIN_CHANGE
from ceremony.standing.reshare import RESHARE
from ceremony.standing.reshare_finish import RESHARE_FINISH

KINDS: Mapping[str, AnyKind] = {
    kind.name: kind for kind in (BREAK_GLASS, PIN_CHANGE, RESHARE, RESHARE_FINISH, SO_PIN_CHANGE)
}
