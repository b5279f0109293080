"""Plain files and folders of a new home."""

from __future__ import annotations

import json

from hsmpub.home import Home
from hsmpub.hsm.config import HsmConfig


def config_toml(hsm: HsmConfig, listen: str, vendor_backup: str = "") -> bytes:
    """The home's config.toml: where things are."""
    # JSON's strings are TOML's basic strings
    vendor = f"vendor_backup = {json.dumps(vendor_backup)}\n" if vendor_backup else ""
    network = "network = true\n" if hsm.network else ""
    variables = "".join(f"{name} = {json.dumps(value)}\n" for name, value in hsm.environment)
    environment = f"\n[hsm.environment]\n{variables}" if variables else ""
    return (
        f"[hsm]\nmodule = {json.dumps(hsm.module)}\ntoken = {json.dumps(hsm.token)}\n{network}{vendor}{environment}"
        f"\n[front]\nlisten = {json.dumps(listen)}\n"
    ).encode()


def make_folders(home: Home) -> None:
    """Folders that the running service fills."""
    for folder in (home.artifacts, home.ceremonies, home.courier, home.run):
        folder.mkdir(mode=0o700, exist_ok=True)
