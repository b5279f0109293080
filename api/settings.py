"""All that the front is told: its home, and the `[front]` table of config.toml."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hsmpub.config import FrontSection, load_config
from hsmpub.home import Home


@dataclass(frozen=True)
class Settings:
    """What `create_app` needs."""

    home: Home
    front: FrontSection


def load_settings(root: Path) -> Settings:
    """The settings of a home. Raises HomeMissing, ConfigMalformed."""
    home = Home(root)
    return Settings(home, load_config(home).front)
