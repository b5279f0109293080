"""What every entry has in common."""

from __future__ import annotations

import msgspec


class Fact(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", omit_defaults=True):
    at: int
