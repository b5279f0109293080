"""`hsmpub key`: the service's keys, as others verify with them. Offline."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer

from hsmpub.cli.options import Pins, pins
from hsmpub.client.public_key import public_form
from hsmpub.client.trust import KeyNotPinned
from hsmpub.model.trust import known_keys

app = typer.Typer(no_args_is_help=True, help="Show the service's public keys.")


class Form(StrEnum):
    """minisign, signify: a public key file; ssh: one line; openpgp, openpgp-v6: a certificate; pem: the public key
    alone; chain: its X.509 certificate and those of its issuers."""

    minisign = "minisign"
    signify = "signify"
    ssh = "ssh"
    openpgp = "openpgp"
    openpgp_v6 = "openpgp-v6"
    pem = "pem"
    chain = "chain"


@app.callback()
def _about() -> None:
    """Show the service's public keys."""


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="The key's name in the trust file.")],
    form: Annotated[Form, typer.Option("--form", help="What is to verify with it.")] = Form.pem,
    trust: Pins = None,
) -> None:
    """Print a public key for minisign, signify, ssh, gpg or openssl, out of the pins; of a retired key, too, for
    what it signed before. Needs no service."""
    found = known_keys(pins(trust)).by_name.get(name)
    if found is None:
        raise KeyNotPinned(f"The pins do not name the key {name!r}.")
    sys.stdout.write(public_form(found.record, form.value))
