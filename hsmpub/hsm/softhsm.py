"""What is special about SoftHSM: its configuration file and its token directory."""

from __future__ import annotations

from pathlib import Path

from hsmpub.hsm.rules import HsmFailed


def softhsm_conf_text(tokens: Path) -> str:
    """A `softhsm2.conf` with its tokens in this absolute directory."""
    return f"directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n"


def token_directory(softhsm_conf: str) -> Path:
    """`directories.tokendir` of a `softhsm2.conf`.

    Raises:
        HsmFailed: the file cannot be read or does not say.
    """
    try:
        lines = Path(softhsm_conf).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise HsmFailed("The configuration of SoftHSM cannot be read.", next_step="Check its path.") from error
    for line in lines:
        name, _, value = line.partition("=")
        if name.strip() == "directories.tokendir":
            return Path(value.strip())
    raise HsmFailed("The configuration of SoftHSM names no token directory.")
