"""JSON with one meaning: no duplicate member, no NaN, no overflow, no lone surrogate, no great depth.

Source: RFC 8259; RFC 7515 5.2 (members of a JOSE header must be unique).
"""

from __future__ import annotations

import json
import math
from typing import Any


class NotStrictJson(ValueError):
    """Callers turn it into the rule of their own format."""


def load_strict_object(data: bytes) -> dict[str, Any]:
    """The one JSON object in `data`.

    Raises:
        NotStrictJson: anything else, or an object with two meanings.
    """
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=unique_members,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
        _check_text(value)
    except (ValueError, RecursionError):  # UnicodeError is a ValueError
        raise NotStrictJson("not one plain JSON object") from None
    if not isinstance(value, dict):
        raise NotStrictJson("not a JSON object")
    return value


def unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """For `json.loads(object_pairs_hook=…)`. Raises NotStrictJson: a member stands twice."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise NotStrictJson("duplicate member")
    return members


def _refuse_constant(_: str) -> float:
    raise NotStrictJson("NaN or infinity")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise NotStrictJson("number too large")
    return value


def _check_text(value: Any) -> None:
    """Escapes such as `\\ud800` make text that no encoding holds."""
    match value:
        case str():
            value.encode()
        case list():
            for item in value:
                _check_text(item)
        case dict():
            for name, item in value.items():
                name.encode()
                _check_text(item)
