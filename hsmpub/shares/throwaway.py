"""Keys of holders that exist for one rehearsal only."""

from __future__ import annotations

from dataclasses import dataclass

import pyrage


@dataclass(frozen=True, repr=False)
class ThrowAwayKey:
    """recipient: age public key; identity: content of a private key's file. It protects nothing that lasts."""

    recipient: str
    identity: bytes


def throw_away_key() -> ThrowAwayKey:
    """A fresh age key pair."""
    identity = pyrage.x25519.Identity.generate()
    return ThrowAwayKey(str(identity.to_public()), str(identity).encode())
