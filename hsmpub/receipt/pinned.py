"""What the pins know of keys, against what the receipt tells: a receipt may leave out a retirement, the pins do not."""

from __future__ import annotations

from collections.abc import Iterable

from hsmpub.errors import Invalid
from hsmpub.model.keys import Keys
from hsmpub.receipt.outputs import Made, check_may_sign


class KeyDiffersFromPins(Invalid):
    advice = "Compare trust.json with another participant's: either it or the receipt is of another service."


def check_against_pins(made: Iterable[Made], pinned: Keys) -> tuple[str, ...]:
    """No signature is by a key that the pins know as another one, or as retired before.

    Returns: names of keys that the log made after the pins were last brought up to date.

    Raises:
        KeyDiffersFromPins, KeyNotActive.
    """
    newer: dict[str, None] = {}
    for one in made:
        key = pinned.by_name.get(one.key.name)
        if key is None:
            newer[one.key.name] = None
            continue
        if (key.record.public, key.record.kind, key.record.created_at) != (
            one.key.public,
            one.key.kind,
            one.key.created_at,
        ):
            raise KeyDiffersFromPins(f"The pins have another key {key.name!r} than the log in the receipt.")
        check_may_sign(key, one.index)
    return tuple(newer)
