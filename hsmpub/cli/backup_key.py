"""`hsmpub backup-key`: what a team encrypts its backups to, in the form that its tool takes. Offline."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer

from hsmpub.cli.options import Pins, pins
from hsmpub.client.backup_key import age_recipient, find_backup_key, openpgp_certificate, x509_certificate


class Form(StrEnum):
    """age: one line, an age recipient; openpgp, x509: a certificate; pem: the public key alone."""

    age = "age"
    openpgp = "openpgp"
    x509 = "x509"
    pem = "pem"


def backup_key(
    form: Annotated[Form, typer.Option("--form", help="age recipient, OpenPGP or X.509 certificate, or PEM key.")],
    name: Annotated[str, typer.Option("--name", help="Which decryption key, where there are several.")] = "",
    trust: Pins = None,
) -> None:
    """Print the key that backups are encrypted to, checked against the pins. Needs no service."""
    pinned = pins(trust)
    key = find_backup_key(pinned, name)
    match form:
        case Form.age:
            text = age_recipient(key) + "\n"
        case Form.openpgp:
            text = openpgp_certificate(pinned, key)
        case Form.x509:
            text = x509_certificate(pinned, key)
        case Form.pem:
            text = key.public
    sys.stdout.write(text)
