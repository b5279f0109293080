"""The HSM of a home, as its configuration says: the same for the keeper and for every ceremony."""

from __future__ import annotations

from hsmpub.config import Config
from hsmpub.home import Home
from hsmpub.hsm.config import HsmConfig


def hsm_of(home: Home, config: Config) -> HsmConfig:
    """Reads nothing but whether the home has a SoftHSM of its own."""
    return HsmConfig(
        module=config.hsm.module,
        token=config.hsm.token,
        softhsm_conf=str(home.softhsm_conf) if home.softhsm_conf.exists() else "",
        lock=str(home.hsm_lock),
        network=config.hsm.network,
        environment=tuple(config.hsm.environment.items()),
    )
