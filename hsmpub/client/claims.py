"""Claims, or another small thing that no file holds, ready to be sent as what a format signs."""

from __future__ import annotations

from pathlib import Path

import msgspec

from hsmpub.client.signing import Work
from hsmpub.formats.registry import get_format
from hsmpub.formats.sha256state import Sha256State
from hsmpub.formats.source import BytesSource


def claims_work(claims: bytes) -> Work:
    """A request for a token. Raises ClaimsMalformed."""
    return small_work(claims, "claims.json", "jwt")


def small_work(data: bytes, name: str, form: str) -> Work:
    """Raises the rules of the format's `extract`. name: as the log calls it."""
    details = {form: get_format(form).extract(BytesSource(data))}
    state = Sha256State.of(data)
    ask = msgspec.structs.replace(state.to_state(name), details=details)
    return Work(Path(name), (form,), Sha256State.of_state(ask), ask, details)
