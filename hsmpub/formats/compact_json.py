"""JSON of signature files, read strictly: the one compact spelling, no member twice, none too many."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from hsmpub.formats.format import OutputMalformed


def read_json(data: bytes, rule: type[OutputMalformed]) -> Any:
    """The value of compact JSON. Whatever is spelled otherwise was not written by this service; raises `rule`."""
    try:
        value = json.loads(data.decode())
        spelled = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        raise rule("The signature is not JSON in UTF-8.") from None
    if spelled != data:  # a member that comes twice is lost on the way, so this sees it too
        raise rule("The signature's JSON is spelled in an unusual way.")
    return value


def members(value: Any, names: set[str], rule: type[OutputMalformed]) -> dict[str, Any]:
    """`value` as an object that has exactly these members; raises `rule`."""
    if not isinstance(value, dict) or set(value) != names:
        raise rule(f"An object of the signature has not the members {', '.join(sorted(names))}.")
    return value


def read_base64(text: Any, rule: type[OutputMalformed]) -> bytes:
    """Bytes of standard base64 in its one spelling; raises `rule`."""
    try:
        data = base64.b64decode(text, validate=True) if isinstance(text, str) else None
    except (binascii.Error, ValueError):
        data = None
    if data is None or base64.b64encode(data).decode() != text:
        raise rule("A member of the signature is not plain base64.")
    return data
