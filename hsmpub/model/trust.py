"""The public pins of a service: what a holder, a CI job or a verifier keeps from the genesis ceremony, brought up to
date by what its log says of keys since."""

from __future__ import annotations

import msgspec

from hsmpub.errors import Invalid
from hsmpub.model.key import KeyRecord
from hsmpub.model.keys import Key, Keys, Life


class Trust(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The file trust.json.

    log_key: C2SP verifier key of the log; keeper_key: Ed25519 public key of the keeper's identity, hex.
    keys: every key that the service ever had, as far as these pins go.
    lives: name → where in the log the key's life turned; nothing for a key of the genesis that just signs.
    """

    service: str
    log_key: str
    keeper_key: str
    keys: tuple[KeyRecord, ...]
    lives: dict[str, Life] = {}


class TrustMalformed(Invalid):
    advice = "Use the trust.json that the genesis ceremony wrote, or that 'hsmpub trust update' brought up to date."


_decoder = msgspec.json.Decoder(Trust)


def load_trust(data: bytes) -> Trust:
    """Raises TrustMalformed."""
    try:
        return _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise TrustMalformed("The trust file cannot be read.") from None


def dump_trust(trust: Trust) -> bytes:
    return msgspec.json.format(msgspec.json.encode(trust, order="deterministic"), indent=2) + b"\n"


def known_keys(trust: Trust) -> Keys:
    """The keys of these pins with their lives. Raises TrustMalformed."""
    names = [key.name for key in trust.keys]
    if len(set(names)) != len(names) or not set(trust.lives) <= set(names):
        raise TrustMalformed("The trust file names a key twice, or tells the life of a key that it does not hold.")
    return Keys(tuple(Key(record, trust.lives.get(record.name, Life())) for record in trust.keys))


def with_keys(trust: Trust, keys: Keys) -> Trust:
    """The same pins, with these keys."""
    lives = {key.name: key.life for key in keys.known if key.life != Life()}
    return msgspec.structs.replace(trust, keys=tuple(key.record for key in keys.known), lives=lives)
