"""The service's own configuration, `home/config.toml`: where things are, never who may do what."""

from __future__ import annotations

import re
import tomllib
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from hsmpub.errors import Invalid
from hsmpub.home import Home


class ConfigMalformed(Invalid):
    advice = "Correct config.toml in the home; docs/operations.md describes each key."


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _check_variables(variables: dict[str, str]) -> dict[str, str]:
    for name in variables:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise ValueError(f"{name!r} is not the name of a variable")
        if name.startswith(("PYTHON", "LD_", "HSMPUB_")):
            raise ValueError(f"{name} would change the program itself")
    return variables


#: Variables for the processes that load the PKCS#11 module.
ModuleVariables = Annotated[dict[str, str], AfterValidator(_check_variables)]


class HsmSection(_Section):
    """module: path of the PKCS#11 module; token: its label; workers: signer processes, 0 for one a core.

    network: the module opens network connections, so its processes may. environment: variables for the module.
    vendor_backup: where the maker's own backup of the token is, for the manifests of backups.
    """

    module: str
    token: str
    workers: int = Field(default=0, ge=0, le=64)
    network: bool = False
    environment: ModuleVariables = {}
    vendor_backup: str = ""


class FrontSection(_Section):
    """listen: `host:port`; port 0 takes a free one. Sizes in bytes, times in seconds, rates in requests a second.

    max_upload_bytes: cap of one uploaded file; max_uploads: at the same time. body_timeout: for a whole small body;
    idle_timeout: between two pieces of an upload; checkpoint_timeout: how long a receipt waits for its checkpoint.
    address_*: of one address, everything; costly_*: of one address, what costs before anybody is authenticated;
    session_*: of one CI session; timestamp_*: timestamps for anybody, all addresses together.
    """

    listen: str = "127.0.0.1:8700"
    max_upload_bytes: int = Field(default=8 << 30, gt=0, le=64 << 30)
    max_uploads: int = Field(default=16, gt=0)
    max_body_bytes: int = Field(default=1 << 20, gt=0)
    max_header_bytes: int = Field(default=16 << 10, gt=0)
    body_timeout: float = Field(default=15.0, gt=0)
    idle_timeout: float = Field(default=30.0, gt=0)
    checkpoint_timeout: float = Field(default=20.0, gt=0)
    address_rate: float = Field(default=5000.0, gt=0)
    address_burst: float = Field(default=10_000.0, gt=0)
    costly_rate: float = Field(default=20.0, gt=0)
    costly_burst: float = Field(default=200.0, gt=0)
    session_rate: float = Field(default=5000.0, gt=0)
    session_burst: float = Field(default=10_000.0, gt=0)
    timestamp_rate: float = Field(default=50.0, gt=0)
    timestamp_burst: float = Field(default=500.0, gt=0)


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
    except (FileNotFoundError, NotADirectoryError):
        raise HomeMissing(f"There is no service in {home.root}.") from None
    except UnicodeDecodeError:
        raise ConfigMalformed("config.toml is not UTF-8.") from None
    except OSError as error:
        raise ConfigMalformed(f"config.toml cannot be read: {error.strerror}.") from None
    try:
        return Config.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigMalformed(f"config.toml: {error}.") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ConfigMalformed(f"config.toml: {place}: {first['msg']}.") from None
