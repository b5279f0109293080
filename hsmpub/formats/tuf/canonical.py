"""Canonical JSON as TUF signs it (OLPC's): keys in order, no spaces, only `"` and `\\` escaped, whole numbers only.

What is read here is spelled again and compared, so one value has one spelling: there are no members that come twice,
no floating-point numbers, no characters that a person would not see.
Source: https://gibson042.github.io/canonicaljson-spec/ and OLPC's "Canonical JSON"; TUF specification 1.0, section 4.2.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from hsmpub.formats.tuf.rules import TufNotCanonical

MAX_DEPTH = 12
#: Visible ASCII and the line ends of keys in PEM: two readers see the same.
_PLAIN = re.compile(r"[\x20-\x7e\n]*")


def canonical(value: Any) -> bytes:
    """The one spelling of a value. Raises TufNotCanonical: it has none."""
    return _spell(value, 0).encode()


def load_canonical(data: bytes) -> Any:
    """The value that these bytes spell. Raises TufNotCanonical."""
    try:
        # not strict: canonical JSON has line ends as they are
        value = json.JSONDecoder(strict=False, parse_float=_refuse, parse_constant=_refuse).decode(data.decode("ascii"))
    except (ValueError, RecursionError):
        raise TufNotCanonical("The metadata is not JSON in ASCII with whole numbers.") from None
    if canonical(value) != data:
        raise TufNotCanonical("The metadata's JSON is not in its canonical spelling.")
    return value


def _spell(value: Any, depth: int) -> str:
    if depth > MAX_DEPTH:
        raise TufNotCanonical(f"The metadata is nested more than {MAX_DEPTH} deep.")
    match value:
        case None | bool():
            return {None: "null", True: "true", False: "false"}[value]
        case int():
            return str(value)
        case str():
            if not _PLAIN.fullmatch(value):
                raise TufNotCanonical("A text of the metadata has characters outside visible ASCII.")
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        case list() | tuple():
            return "[" + ",".join(_spell(one, depth + 1) for one in value) + "]"
        case dict():
            pairs = (f"{_spell(name, depth)}:{_spell(value[name], depth + 1)}" for name in sorted(value))
            return "{" + ",".join(pairs) + "}"
        case _:
            raise TufNotCanonical("The metadata holds a value that JSON does not have.")


def _refuse(text: str) -> NoReturn:
    raise ValueError(text)
