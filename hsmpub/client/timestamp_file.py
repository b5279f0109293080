"""The file that names timestamp authorities, in the order in which they are asked.

[[authority]]
name = "first"
url = "http://timestamp.example/rfc3161"
certificates = "first.pem"      # beside this file: its own certificate, or those of its CAs
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cryptography import x509
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hsmpub.client.timestamp import Authority, Timestamps
from hsmpub.errors import Invalid
from hsmpub.model.toml_lines import InFile, load_toml
from hsmpub.model.toml_words import first_problem, formed, wrong_value

_FILE = "timestamp file"
_MOST = 1 << 20


class TimestampFileWrong(InFile):
    advice = "Correct the line; docs/formats.md shows a whole file."


class TimestampPinsUnusable(Invalid):
    advice = "Put the authority's certificates there, in PEM."


class _Authority(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: str = Field(min_length=1, max_length=60)
    url: Annotated[str, formed(r"https?://[!-~]{1,500}", "an http or https address")]
    certificates: str = Field(min_length=1)


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    authority: list[_Authority] = Field(min_length=1, max_length=16)


def read_timestamp_file(path: Path) -> Timestamps:
    """Raises TimestampFileWrong, TimestampPinsUnusable, and the rules of hsmpub.model.toml_lines."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as e:
        raise TimestampFileWrong(f"it cannot be read: {e}.", line=1, file=_FILE) from None
    found = load_toml(text, file=_FILE)
    try:
        named = _File.model_validate(found.data)
    except ValidationError as e:
        line, where, problem = first_problem(e.errors(include_url=False), found.line_of)
        raise TimestampFileWrong(wrong_value(where, problem), line=line, file=_FILE) from None
    return Timestamps(
        [Authority(one.name, one.url, load_pins(path.parent / one.certificates)) for one in named.authority]
    )


def load_pins(path: Path) -> tuple[x509.Certificate, ...]:
    """Certificates of an authority, or of CAs above it. Raises TimestampPinsUnusable."""
    try:
        data = path.read_bytes()
        return tuple(x509.load_pem_x509_certificates(data if len(data) <= _MOST else b""))
    except (OSError, ValueError):
        raise TimestampPinsUnusable(f"{path} holds no certificates that can be read.") from None
