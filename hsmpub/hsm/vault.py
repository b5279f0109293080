"""A vault: a process that meets one credential, or one file's key, in plain, for milliseconds, and ends; or looks at
the keys anew.

The keeper hands it boxes and headers and gets such back. Nothing else ever holds the secret in plain: here it is
opened in memory of this process, sealed again, and gone with the process.
"""

from __future__ import annotations

import pkcs11

from hsmpub.envelope.reseal import reseal
from hsmpub.hsm import gcm
from hsmpub.hsm.inside import Inside, run_inside
from hsmpub.hsm.inspection import inspect_keys
from hsmpub.hsm.messages import Finished, InspectKeys, LeaseSecret, ResealHeader, SealSecret
from hsmpub.hsm.objects import Session, TokenKey
from hsmpub.hsm.raw_rsa import decrypt_block
from hsmpub.hsm.rules import HsmFailed, KeyMissing
from hsmpub.secret.box import open_box, seal_box
from hsmpub.secret.page import wipe


def main() -> int:
    """Runs one vault order from the channel at standard input."""
    return run_inside("vault", _run)


def _run(inside: Inside) -> Finished:
    order = inside.opening.order
    if isinstance(order, SealSecret):
        return Finished(_seal(inside, order))
    if isinstance(order, LeaseSecret):
        return Finished(_lease(inside, order))
    if isinstance(order, InspectKeys):
        cryptoki, session = inside.open_session(inside.secrets[0])
        return Finished(inspect_keys(cryptoki, session, order.keys))
    if isinstance(order, ResealHeader):
        return Finished(_reseal(inside, order))
    raise HsmFailed("A vault takes no such order.")


def _seal(inside: Inside, order: SealSecret) -> bytes:
    pin, private = inside.secrets
    _, session = inside.open_session(pin)
    key = _sealing_key(session, order.key)
    secret = open_box(private.view, order.info, order.box)
    private.close()
    return gcm.seal(key, secret, order.aad)


def _lease(inside: Inside, order: LeaseSecret) -> bytes:
    cryptoki, session = inside.open_session(inside.secrets[0])
    key = _sealing_key(session, order.key)
    secret = gcm.unseal(cryptoki, session.handle, key.handle, order.sealed, order.aad)
    try:
        with memoryview(secret)[: len(order.sealed) - gcm.OVERHEAD] as plain:
            return seal_box(order.to, order.info, plain)
    finally:
        wipe(secret)


def _reseal(inside: Inside, order: ResealHeader) -> bytes:
    cryptoki, session = inside.open_session(inside.secrets[0])
    key = _only_key(session, order.key.name, pkcs11.ObjectClass.PRIVATE_KEY)

    def decrypt(block: bytes) -> bytearray:
        return decrypt_block(cryptoki, session.handle, key.handle, block)

    return reseal(order.header, order.form, order.key, order.recipient, decrypt)


def _sealing_key(session: Session, name: str) -> TokenKey:
    return _only_key(session, name, pkcs11.ObjectClass.SECRET_KEY)


def _only_key(session: Session, name: str, kind: pkcs11.ObjectClass) -> TokenKey:
    found = list(session.get_objects({pkcs11.Attribute.LABEL: name, pkcs11.Attribute.CLASS: kind}))
    if len(found) != 1:
        raise KeyMissing(f"The token has {len(found)} such keys named {name!r}, not one.")
    key: TokenKey = found[0]
    return key
