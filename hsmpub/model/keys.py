"""The keys of a service as its log tells them: born, certified, retired, destroyed. Pure.

    active ──── a ceremony retires it ────► retired ──── a ceremony destroys it ────► destroyed
    signs                                   signs nothing; what it signed before still verifies

Whether a key could sign is told by places in the log, never by a clock: a signature counts where its entry stands after
the key's birth and before its retirement. Names are never given twice.

Each entry about keys carries the digest of all keys before it. Who follows the keys from any state that they trust
notices the one that is missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import msgspec

from hsmpub.errors import Broken
from hsmpub.model.digest import sha256_hex
from hsmpub.model.entry import KeysChanged, RetirementReason
from hsmpub.model.key import DECRYPTS, KeyRecord

KeyState = Literal["active", "retired", "destroyed"]


class KeysOutOfTurn(Broken):
    """The entry does not follow the keys that are known: one before it is missing, or it contradicts them."""

    advice = "Fetch the entries about keys again; if they still do not fit each other, ask whoever runs the service."


class Life(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Where in the log a key's life turned, by index of the entry; 0: at genesis for `born`, else not yet.

    certified: the entry that brought its newest certificate. successor: the key that took its place, or empty.
    """

    born: int = 0
    certified: int = 0
    retired: int = 0
    destroyed: int = 0
    reason: RetirementReason | Literal[""] = ""
    successor: str = ""

    def may_sign_at(self, index: int) -> bool:
        """Whether the key was active when entry `index` was written."""
        return self.born < index and not (self.retired and index > self.retired)


class Key(msgspec.Struct, frozen=True):
    """A key with its life."""

    record: KeyRecord
    life: Life = Life()

    @property
    def name(self) -> str:
        return self.record.name

    @property
    def state(self) -> KeyState:
        return "destroyed" if self.life.destroyed else "retired" if self.life.retired else "active"


@dataclass(frozen=True)
class Keys:
    """Every key that the service ever had, up to some place in its log."""

    known: tuple[Key, ...] = ()

    @classmethod
    def of_genesis(cls, records: tuple[KeyRecord, ...]) -> Keys:
        return cls(tuple(Key(record) for record in records))

    @cached_property
    def by_name(self) -> dict[str, Key]:
        return {key.name: key for key in self.known}

    @cached_property
    def active(self) -> dict[str, KeyRecord]:
        """Those that may sign now."""
        return {key.name: key.record for key in self.known if key.state == "active"}

    @property
    def at_work(self) -> tuple[KeyRecord, ...]:
        """Those that the HSM is asked to work with: the active, and retired ones that decrypt. What was encrypted to
        them before must open."""
        return tuple(
            key.record
            for key in self.known
            if key.state == "active" or (key.state == "retired" and key.record.kind == DECRYPTS)
        )

    @property
    def present(self) -> tuple[KeyRecord, ...]:
        """Those that are in the HSM and in the backups: all but the destroyed."""
        return tuple(key.record for key in self.known if key.state != "destroyed")

    @property
    def last(self) -> int:
        """Index of the newest entry that is in here; 0: the genesis."""
        lives = (key.life for key in self.known)
        return max((max(life.born, life.certified, life.retired, life.destroyed) for life in lives), default=0)

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) over all keys and their lives, for the next entry to name."""
        return sha256_hex(b"hsmpub keys v1\n" + msgspec.json.encode(self.known, order="deterministic"))

    def after(self, index: int, change: KeysChanged) -> Keys:
        """The keys once entry `index` is written.

        Raises:
            KeysOutOfTurn: it follows another state, or does what cannot be done to a key.
        """
        if change.previous != self.digest or index <= self.last:
            raise KeysOutOfTurn(f"An entry about keys is missing or too many before entry {index}.")
        known = dict(self.by_name)
        for record in change.born:
            _require(record.name not in known, index, f"{record.name!r} is born twice")
            known[record.name] = Key(record, Life(born=index))
        for name, chain in change.certified.items():
            key = _in_state(known, name, ("active",), index)
            record = msgspec.structs.replace(key.record, certificates=chain)
            known[name] = Key(record, msgspec.structs.replace(key.life, certified=index))
        for gone in change.retired:
            key = _in_state(known, gone.name, ("active",), index)
            life = msgspec.structs.replace(key.life, retired=index, reason=gone.reason, successor=gone.successor)
            known[gone.name] = Key(key.record, life)
        for name in change.destroyed:
            key = _in_state(known, name, ("retired",), index)
            known[name] = Key(key.record, msgspec.structs.replace(key.life, destroyed=index))
        return Keys(tuple(known.values()))


def _in_state(known: dict[str, Key], name: str, states: tuple[KeyState, ...], index: int) -> Key:
    key = known.get(name)
    _require(key is not None and key.state in states, index, f"{name!r} is not {' or '.join(states)}")
    assert key is not None
    return key


def _require(holds: bool, index: int, what: str) -> None:
    if not holds:
        raise KeysOutOfTurn(f"Entry {index} about keys contradicts those before it: {what}.")
