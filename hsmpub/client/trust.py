"""The pins: what a client knows of the service beforehand, from a copy of the home's trust.json."""

from __future__ import annotations

from pathlib import Path

from hsmpub.errors import Broken, Invalid
from hsmpub.model.key import KeyRecord
from hsmpub.model.trust import Trust, TrustMalformed, known_keys, load_trust

_ADVICE = "Get trust.json from whoever led the genesis ceremony, and name it with --trust or HSMPUB_TRUST."


class PinsMissing(Invalid):
    advice = _ADVICE


class PinsUnreadable(Invalid):
    advice = _ADVICE


class KeyNotPinned(Invalid):
    advice = "Bring the pins up to date with 'hsmpub trust update': the key may have been made after them."


class KeyPinnedAsRetired(Broken):
    advice = "Use nothing of it: a key that was retired signs nothing. Ask whoever runs the service."


def read_trust(path: Path) -> Trust:
    """The pins in a file.

    Raises:
        PinsUnreadable, TrustMalformed.
    """
    try:
        return load_trust(path.read_bytes())
    except OSError as e:
        raise PinsUnreadable(f"{path} cannot be read: {e.strerror}.") from None
    except TrustMalformed as e:
        raise TrustMalformed(f"{path} is no trust file.", next_step=e.next_step) from None


def pinned_key(trust: Trust, name: str) -> KeyRecord:
    """A key that may sign, as far as the pins go. Raises KeyNotPinned, KeyPinnedAsRetired."""
    found = known_keys(trust).by_name.get(name)
    if found is None:
        raise KeyNotPinned(f"The pins do not name the key {name!r}.")
    if found.state != "active":
        raise KeyPinnedAsRetired(f"The pins know the key {name!r} as {found.state}.")
    return found.record


def keeper_identity(trust: Trust) -> bytes:
    """The keeper's identity, raw Ed25519. Raises PinsUnreadable."""
    try:
        return bytes.fromhex(trust.keeper_key)
    except ValueError:
        raise PinsUnreadable("The pins hold no key of a keeper.") from None
