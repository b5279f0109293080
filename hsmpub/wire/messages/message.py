"""What every message has in common."""

from __future__ import annotations

import msgspec


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type"):
    pass


class Done(Message, frozen=True, tag="done"):
    detail: str = ""
