"""The service's own configuration, `home/config.toml`: where things are, never who may do what."""

from __future__ import annotations

import tomllib

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hsmpub.errors import Invalid
from hsmpub.home import Home


class ConfigMalformed(Invalid):
    advice = "Correct config.toml in the home; docs/operations.md describes each key."


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class HsmSection(_Section):
    """module: path of the PKCS#11 module; token: its label; workers: signer processes, 0 for one a core."""

    module: str
    token: str
    workers: int = Field(0, ge=0, le=64)


class FrontSection(_Section):
    """listen: `host:port`; port 0 takes a free one. max_upload_bytes: cap of one uploaded file."""

    listen: str = "127.0.0.1:8700"
    max_upload_bytes: int = 8 << 30


class KeeperSection(_Section):
    """front_uids, courier_uids: who may connect to which of the keeper's sockets; empty: its own uid only."""

    front_uids: tuple[int, ...] = ()
    courier_uids: tuple[int, ...] = ()


class Config(_Section):
    hsm: HsmSection
    front: FrontSection = FrontSection()
    keeper: KeeperSection = KeeperSection()


class HomeMissing(Invalid):
    advice = "Run the genesis ceremony first: 'hsmpub-ceremony genesis ceremony.toml'."


def load_config(home: Home) -> Config:
    """Raises HomeMissing, ConfigMalformed."""
    try:
        text = home.config.read_text()
    except FileNotFoundError:
        raise HomeMissing(f"There is no service in {home.root}.") from None
    try:
        return Config.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigMalformed(f"config.toml: {error}.") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ConfigMalformed(f"config.toml: {place}: {first['msg']}.") from None
