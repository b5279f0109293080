"""What the front may be told: where it listens and how much it takes. The `[front]` table of config.toml."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hsmpub.errors import Invalid
from hsmpub.home import Home


class FrontConfigRefused(Invalid):
    advice = "Correct the [front] table of config.toml and start again."


class FrontConfig(BaseModel):
    """The `[front]` table. Sizes in bytes, times in seconds, rates in requests a second."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    listen: str = "127.0.0.1:8600"
    max_upload_bytes: int = Field(default=8 * 1024**3, gt=0)
    max_body_bytes: int = Field(default=1024**2, gt=0)
    max_header_bytes: int = Field(default=16 * 1024, gt=0)
    max_uploads: int = Field(default=16, gt=0, description="uploads at the same time")
    body_timeout: float = Field(default=15.0, gt=0, description="for a whole small body")
    idle_timeout: float = Field(default=30.0, gt=0, description="between two pieces of an upload")
    checkpoint_timeout: float = Field(default=20.0, gt=0, description="how long a receipt waits for its checkpoint")
    address_rate: float = Field(default=2000.0, gt=0, description="of one address, all requests")
    address_burst: float = Field(default=4000.0, gt=0)
    costly_rate: float = Field(default=20.0, gt=0, description="of one address, before anybody is authenticated")
    costly_burst: float = Field(default=200.0, gt=0)
    session_rate: float = Field(default=4000.0, gt=0, description="of one CI session")
    session_burst: float = Field(default=8000.0, gt=0)


class Settings(BaseModel):
    """All that `create_app` needs."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    home: Home
    front: FrontConfig = FrontConfig()


def load_settings(root: Path) -> Settings:
    """The settings of a home; defaults where config.toml says nothing.

    Raises:
        FrontConfigRefused: unknown keys, wrong types or values.
    """
    home = Home(root)
    try:
        table = tomllib.loads(home.config.read_text()).get("front", {}) if home.config.exists() else {}
        return Settings(home=home, front=FrontConfig.model_validate(table))
    except tomllib.TOMLDecodeError as e:
        raise FrontConfigRefused(f"config.toml cannot be read: {e}.") from None
    except ValidationError as e:
        first = e.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise FrontConfigRefused(f"front.{where} in config.toml: {first['msg']}.") from None
