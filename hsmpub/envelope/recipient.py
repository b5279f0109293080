"""Somebody who is to open a file, in one of the forms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hsmpub.envelope.header import Form

#: Fits into a statement, with room to spare.
MAX_RECIPIENT_CHARS = 8 * 1024


@dataclass(frozen=True)
class Recipient:
    """Attributes:
    text: the one way in which requests and statements name it; loading it gives the same recipient.
    fingerprint: what people compare.
    seal: the file key, encrypted to the recipient, as the form's header holds it.
    """

    form: Form
    text: str
    fingerprint: str
    seal: Callable[[bytearray], bytes]
