"""Inside the production token: what is there of a key, and its end. Source: PKCS#11 3.0, 5.7.3 (C_DestroyObject)."""

from __future__ import annotations

from collections.abc import Sequence

from pkcs11 import Attribute

from hsmpub.hsm.objects import Session


def find_in_token(session: Session, names: Sequence[str]) -> dict[str, str]:
    """Name → how many objects the token has of it, for those that it has any of."""
    found = {name: len(list(session.get_objects({Attribute.LABEL: name}))) for name in names}
    return {name: str(count) for name, count in found.items() if count}


def destroy_in_token(session: Session, names: Sequence[str]) -> None:
    """Destroys every object of each name: the private half, and the public one beside it."""
    for name in names:
        for found in list(session.get_objects({Attribute.LABEL: name})):
            found.destroy()
