"""A process for one chore of a ceremony: make a token, change its PIN, bear keys, take them in, destroy them."""

from __future__ import annotations

from hsmpub.hsm.capability import look_at_module
from hsmpub.hsm.cryptoki import Cryptoki
from hsmpub.hsm.delivery import bear_in_token
from hsmpub.hsm.inside import Inside, run_inside
from hsmpub.hsm.intake import import_into_token
from hsmpub.hsm.messages import (
    BearKeys,
    DestroyKeys,
    FindKeys,
    Finished,
    ImportKeys,
    InitToken,
    LocateToken,
    LookAtModule,
    ResetPin,
    SetPin,
)
from hsmpub.hsm.pin import new_pin
from hsmpub.hsm.removal import destroy_in_token, find_in_token
from hsmpub.hsm.rules import HsmFailed
from hsmpub.secret.page import SecretPage


def main() -> int:
    """Runs one chore from the channel at standard input."""
    return run_inside("ceremony", _run)


def _run(inside: Inside) -> Finished:
    order = inside.opening.order
    if isinstance(order, InitToken):
        so_pin, pin, *first = inside.secrets
        _make_token(inside, so_pin, pin, first[0] if first else None)
        return Finished()
    if isinstance(order, SetPin | ResetPin):
        return Finished(_set_pin(inside, order))
    if isinstance(order, LookAtModule):
        with inside.alone():
            return Finished(report=look_at_module(inside.opening.hsm, order))
    if isinstance(order, LocateToken):
        return Finished(_serial(inside))
    if isinstance(order, BearKeys):
        return _bear(inside, order)
    if isinstance(order, ImportKeys):
        pin, wrapping_key = inside.secrets
        cryptoki, session = inside.open_session(pin, rw=True)
        return Finished(notes=import_into_token(cryptoki, session, order.born, wrapping_key))
    if isinstance(order, FindKeys | DestroyKeys):
        _, session = inside.open_session(inside.secrets[0], rw=True)
        if isinstance(order, DestroyKeys):
            destroy_in_token(session, order.names)
        return Finished(notes=find_in_token(session, order.names))
    raise HsmFailed("A ceremony has no such chore.")


def _make_token(inside: Inside, so_pin: SecretPage, pin: SecretPage, first: SecretPage | None = None) -> None:
    label = inside.opening.hsm.token
    with inside.alone():
        cryptoki = Cryptoki(inside.opening.hsm.module)
        cryptoki.initialize()
        slot = cryptoki.init_token(label, so_pin, first)
        cryptoki.init_pin(label, so_pin, pin, slot=slot)
        cryptoki.finalize()  # python-pkcs11 wants to initialise the module itself
    so_pin.close()


def _set_pin(inside: Inside, order: SetPin | ResetPin) -> bytes:
    old, new = inside.secrets
    with inside.alone():
        cryptoki = Cryptoki(inside.opening.hsm.module)
        cryptoki.initialize()
        label = inside.opening.hsm.token
        try:
            if isinstance(order, SetPin):
                return b"changed" if cryptoki.set_pin(label, old, new, so=order.so) else b"was"
            cryptoki.init_pin(label, old, new)
            return b"changed"
        finally:
            cryptoki.finalize()
            old.close()
            new.close()


def _serial(inside: Inside) -> bytes:
    with inside.alone():
        cryptoki = Cryptoki(inside.opening.hsm.module)
        cryptoki.initialize()
        slot = cryptoki.find_token(inside.opening.hsm.token)
        return b"" if slot is None else bytes(cryptoki.token_info(slot).serial).rstrip(b" ")


def _bear(inside: Inside, order: BearKeys) -> Finished:
    with SecretPage() as so_pin, SecretPage() as pin:
        so_pin.take(new_pin())
        pin.take(new_pin())
        _make_token(inside, so_pin, pin)
        _, session = inside.open_session(pin, rw=True)
    return Finished(born=tuple(bear_in_token(session, order.specs, inside.secrets[0])))
