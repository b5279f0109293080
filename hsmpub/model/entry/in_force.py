"""What is in force: keys, policy, roster, issuers."""

from __future__ import annotations

from typing import Literal

import msgspec

from hsmpub.model.entry.fact import Fact
from hsmpub.model.key import KeyRecord


class Genesis(Fact, frozen=True, tag="genesis"):
    """First entry of a log: what the genesis ceremony made.

    keeper_key: Ed25519 public key of the keeper's identity, hex; it signs what the keeper says while sealed.
    log_key: C2SP signed-note verifier key of the log (`name+hash+base64`).
    """

    service: str
    transcript_sha256: str
    epoch: int
    keeper_key: str
    log_key: str
    keys: tuple[KeyRecord, ...]


RetirementReason = Literal["retired", "superseded", "compromised"]


class Retirement(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A key that signs nothing any more. successor: name of the key that took its place, or empty."""

    name: str
    reason: RetirementReason
    successor: str = ""


class KeysChanged(Fact, frozen=True, tag="keys"):
    """The ceremony of the next entry changed the keys: some were born, certified, retired or destroyed, in this order.

    previous: digest of all keys before (hsmpub.model.keys): whoever misses an entry of these cannot go on.
    certified: name → X.509 chain in PEM.
    """

    previous: str
    born: tuple[KeyRecord, ...] = ()
    certified: dict[str, str] = msgspec.field(default_factory=dict)
    retired: tuple[Retirement, ...] = ()
    destroyed: tuple[str, ...] = ()


class PolicyAdopted(Fact, frozen=True, tag="policy"):
    """The whole policy text in force from here on. `request` is empty at genesis."""

    text: str
    sha256: str
    request: str = ""


class RosterAdopted(Fact, frozen=True, tag="roster"):
    """The whole roster text in force from here on. `request` is empty at genesis."""

    text: str
    sha256: str
    request: str = ""


class IssuerKeys(Fact, frozen=True, tag="issuer-keys"):
    """Signing keys of a CI issuer as the courier fetched them from the URL pinned in the policy, `url`."""

    issuer: str
    jwks: str
    url: str = ""
