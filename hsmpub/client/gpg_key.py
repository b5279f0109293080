"""Which key of the service somebody means who names an OpenPGP key as one does to gpg."""

from __future__ import annotations

import re

from hsmpub.errors import Invalid, NotFound
from hsmpub.formats.openpgp.certificate import openpgp_fingerprint
from hsmpub.formats.openpgp.certificate_read import check_certificate
from hsmpub.formats.purposes import OPENPGP_FORMATS
from hsmpub.model.key import KeyRecord
from hsmpub.model.trust import Trust

_HEX = re.compile(r"(0x)?([0-9A-Fa-f]{40}|[0-9A-Fa-f]{16})!?")
_ADDRESS = re.compile(r"<([^<>]+)>$")


class KeyNotHere(NotFound):
    advice = "Name a key by its fingerprint (git config user.signingkey), or by its name in the policy."


def find_key(trust: Trust, named: str) -> str:
    """The key's name in the policy; empty: the policy chooses.

    Args:
        named: a fingerprint or long key id, the key's own name, or a user id or its address. Short key ids are not
            taken, for anybody can make a key with a given one. Empty: any.

    Raises:
        KeyNotHere: the pins have no such key.
    """
    keys = [key for key in trust.keys if OPENPGP_FORMATS.intersection(key.formats)]
    if not named:
        return ""
    found = [key.name for key in keys if _is(key, named)]
    if not found:
        raise KeyNotHere(f"The service has no OpenPGP key {named[:80]!r}.")
    return found[0] if len(found) == 1 else ""


def _is(key: KeyRecord, named: str) -> bool:
    number = _HEX.fullmatch(named)
    if number:
        return openpgp_fingerprint(key).endswith(number[2].upper())
    if named == key.name:
        return True
    try:
        user_id = check_certificate(key.openpgp, key).user_id
    except Invalid:
        return False  # none, or one of another form, which has its fingerprint only
    wanted = _ADDRESS.search(named)
    address = _ADDRESS.search(user_id)
    return named == user_id or (address is not None and (wanted[1] if wanted else named) == address[1])
