"""What the tables of a policy file have in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

from hsmpub.model.toml_words import NAME, formed

Name = Annotated[str, NAME]
Text = Annotated[
    str,
    StringConstraints(min_length=1, max_length=500),
    formed(r"[^\x00-\x1f\x7f]+", "text without control characters"),
]


class Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
