"""The public pins of a service: what a holder, a CI job or a verifier keeps from the genesis ceremony."""

from __future__ import annotations

import msgspec

from hsmpub.errors import Invalid
from hsmpub.model.key import KeyRecord


class Trust(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file trust.json.

    log_key: C2SP verifier key of the log; keeper_key: Ed25519 public key of the keeper's identity, hex.
    """

    service: str
    log_key: str
    keeper_key: str
    keys: tuple[KeyRecord, ...]


class TrustMalformed(Invalid):
    advice = "Use the trust.json that the genesis ceremony wrote."


_decoder = msgspec.json.Decoder(Trust)


def load_trust(data: bytes) -> Trust:
    """Raises TrustMalformed."""
    try:
        return _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise TrustMalformed("The trust file cannot be read.") from None


def dump_trust(trust: Trust) -> bytes:
    return msgspec.json.format(msgspec.json.encode(trust, order="deterministic"), indent=2) + b"\n"
