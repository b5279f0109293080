"""The pins: what a client knows of the service beforehand, from a copy of the home's trust.json."""

from __future__ import annotations

from pathlib import Path

import msgspec

from hsmpub.errors import Invalid
from hsmpub.model.key import KeyRecord


class PinsUnreadable(Invalid):
    advice = "Get trust.json from whoever led the genesis ceremony, and name it with --trust or HSMPUB_TRUST."


class Trust(msgspec.Struct, frozen=True):
    """Public pins of one service. Unknown members are for others.

    service: its name; log_key: C2SP signed-note verifier key of its log; keeper_key: Ed25519 public key of the
    keeper's identity, hex; keys: its signing keys; audience: what tokens for it are made out to, by default the
    service's name.
    """

    service: str
    log_key: str
    keeper_key: str
    keys: tuple[KeyRecord, ...] = ()
    audience: str = ""

    @property
    def keeper(self) -> bytes:
        """The keeper's identity, raw Ed25519, 32 bytes."""
        return bytes.fromhex(self.keeper_key)

    @property
    def token_audience(self) -> str:
        return self.audience or self.service

    def key(self, name: str) -> KeyRecord | None:
        return next((key for key in self.keys if key.name == name), None)


_decoder = msgspec.json.Decoder(Trust)


def load_trust(path: Path) -> Trust:
    """Pins of a file.

    Raises:
        PinsUnreadable: no such file, or not pins.
    """
    try:
        trust = _decoder.decode(path.read_bytes())
        if len(trust.keeper) != 32:
            raise ValueError
    except OSError as e:
        raise PinsUnreadable(f"{path} cannot be read: {e.strerror}.") from None
    except (msgspec.MsgspecError, ValueError):
        raise PinsUnreadable(f"{path} does not hold the pins of a service.") from None
    return trust
