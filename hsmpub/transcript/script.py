"""Which steps a ceremony has, in which order: a step that was left out is missed even where a whole transcript was
signed again without it.

A ceremony of its own form has all its steps here; one that is held on a home has at least these, in this order.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from hsmpub.transcript.record import Ceremony, Step

_WHOLE: Mapping[Ceremony, str] = {
    "genesis": "ceremony file;recovery quorum;keys born;token;unseal quorum;keeper identity;backup of the keys;"
               "public keys;outputs;",
    "restore": "backup;(entries brought;|loss accepted;)?(keys lost;)?(recovery share;)+"
               "(keys restored;token;|keys found;vendor token;)unseal quorum;outputs;",
    "drill": "drill;(drill share;)+proven;",
    "unseal": "attempt;(share;)+unsealed;log;",
    "offboard": "log;person;found;(revocation asked for;)?left to do;outputs;",
    "upgrade": "permission;resumed;log;",
    "seal": "sealed;(unsealing;)?log;",
}  # fmt: skip
_AT_LEAST: Mapping[Ceremony, Sequence[str]] = {
    "pin-change": ("ceremony file", "unseal share", "PIN changed", "outputs"),
    "so-pin-change": ("ceremony file", "unseal share", "recovery share", "SO PIN changed", "outputs"),
    "break-glass": ("ceremony file", "break-glass", "unseal share", "outputs"),
    "reshare-finish": ("ceremony file", "unseal share", "sets in force", "outputs"),
}
_ANY = ("ceremony file", "unseal share", "outputs")


def has_its_steps(ceremony: Ceremony, steps: Sequence[Step]) -> bool:
    """The steps are those of such a ceremony, none missing, none out of order."""
    names = [step.what for step in steps]
    if any(";" in name for name in names):
        return False
    if ceremony in _WHOLE:
        return re.fullmatch(_WHOLE[ceremony], "".join(f"{name};" for name in names)) is not None
    wanted = list(_AT_LEAST.get(ceremony, _ANY))
    if not names or (names[0], names[-1]) != (wanted[0], wanted[-1]):
        return False
    for name in names:
        if wanted and name == wanted[0]:
            del wanted[0]
    return not wanted
