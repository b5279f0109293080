"""Files that people write: small, UTF-8."""

from __future__ import annotations

from pathlib import Path

from hsmpub.errors import Invalid
from hsmpub.model.toml_lines import MAX_TOML_BYTES


class TextUnreadable(Invalid):
    advice = "Name a UTF-8 text file of at most 48 KiB."


def read_text(path: Path) -> str:
    """Raises TextUnreadable: missing, too large, or not UTF-8, or empty."""
    try:
        data = path.read_bytes()
        if len(data) > MAX_TOML_BYTES:
            raise TextUnreadable(f"{path} has {len(data):,} bytes.")
        text = data.decode()
        if not text.strip():
            raise TextUnreadable(f"{path} is empty.")
        return text
    except OSError as e:
        raise TextUnreadable(f"{path} cannot be read: {e.strerror}.") from None
    except UnicodeDecodeError:
        raise TextUnreadable(f"{path} is not UTF-8.") from None
