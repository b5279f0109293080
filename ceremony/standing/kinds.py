"""Every standing ceremony by name."""

from __future__ import annotations

from collections.abc import Mapping

from ceremony.standing.break_glass import BREAK_GLASS
from ceremony.standing.certificates import CERTIFICATE_IMPORT, CSR
from ceremony.standing.key_birth import KEY_GENERATE, KEY_ROTATE
from ceremony.standing.key_end import KEY_DESTROY, KEY_RETIRE
from ceremony.standing.kind import AnyKind
from ceremony.standing.openpgp_subkey import OPENPGP_SUBKEY
from ceremony.standing.pin_change import PIN_CHANGE, SO_PIN_CHANGE
from ceremony.standing.reshare import RESHARE
from ceremony.standing.reshare_finish import RESHARE_FINISH

_ALL: tuple[AnyKind, ...] = (
    BREAK_GLASS, PIN_CHANGE, SO_PIN_CHANGE, RESHARE, RESHARE_FINISH,
    KEY_GENERATE, KEY_ROTATE, KEY_RETIRE, KEY_DESTROY, CSR, CERTIFICATE_IMPORT, OPENPGP_SUBKEY,
)  # fmt: skip
KINDS: Mapping[str, AnyKind] = {kind.name: kind for kind in _ALL}
