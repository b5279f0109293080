"""What a ceremony records of a quorum: enough to accept or refuse a share, nothing that helps to guess one.

Both records are JSON files of the keeper and public in substance: digests, public keys and sealed boxes.
"""

from __future__ import annotations

from typing import Literal, TypeVar

import msgspec

from hsmpub.errors import Broken, NotFound
from hsmpub.model.digest import is_sha256_hex
from hsmpub.model.key import KeyKind
from hsmpub.shares.layout import Layout

Purpose = Literal["unseal", "recovery"]


class UnknownHolder(NotFound):
    advice = "Use the holder's name as the ceremony recorded it; 'hsmpub status' lists the names."


class RecordMalformed(Broken):
    advice = "The quorum's record was altered or damaged: restore it from the last backup."


class HolderRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One holder of a quorum.

    Attributes:
        name: as it is called in every ceremony, log entry and command.
        index: the SLIP-39 member index of the holder's share, from 0.
        commitment: of the share, 64 hex characters (hsmpub.shares.commitment).
        recipient: the holder's own public key (`age1…`, `ssh-ed25519 …`, `ssh-rsa …`).
        fingerprint: of that key, as `ssh-keygen -l` prints it.
    """

    name: str
    index: int
    commitment: str
    recipient: str
    fingerprint: str


class Quorum(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What both quorums record.

    Attributes:
        epoch: counts the sets of shares from 1; a restore starts the next.
        identifier, extendable, iteration_exponent: pinned SLIP-39 header of this set.
        threshold: so many different holders are needed (two or more).
        check: key-check value of the secret, 64 hex characters (hsmpub.shares.derive).
    """

    epoch: int
    identifier: int
    extendable: bool
    iteration_exponent: int
    threshold: int
    holders: tuple[HolderRecord, ...]
    check: str

    @property
    def layout(self) -> Layout:
        """The header that every share of this set must carry: one group, `threshold` of its members."""
        groups = ((self.threshold, len(self.holders)),)
        return Layout(self.identifier, self.extendable, self.iteration_exponent, 1, groups)

    def holder(self, name: str) -> HolderRecord:
        """Raises UnknownHolder."""
        for holder in self.holders:
            if holder.name == name:
                return holder
        raise UnknownHolder(f"{name[:80]!r} is no holder of this quorum.")


class UnsealRecord(Quorum, frozen=True, kw_only=True):
    """pin_box: the token's PIN under a key derived from the secret: nonce‖ciphertext‖tag, hex (AES-256-GCM)."""

    pin_box: str


class WrappedKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A key as it was born: AES-KWP under the wrapping key, hex. public: PEM, empty for secret keys."""

    name: str
    kind: KeyKind
    public: str
    wrapped: str


class Birth(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Keys that a ceremony made after the genesis, under a wrapping key of their own.

    number: of that ceremony in its home; wrapping_key_box: HPKE-sealed to the recovery quorum, hex; wrapped: the keys.
    """

    number: int
    wrapping_key_box: str
    wrapped: tuple[WrappedKey, ...]


class RecoveryRecord(Quorum, frozen=True, kw_only=True, omit_defaults=True):
    """The backup of the keys, taken at their birth.

    Attributes:
        public_key: X25519 key of the recovery quorum, hex; its private half is derived from the secret.
        wrapping_key_box, so_pin_box, identity_box: wrapping key, SO PIN of the token and seed of the keeper's
            identity, each HPKE-sealed to `public_key`, hex.
        wrapped: the keys of the genesis, those that were not destroyed.
        births: of keys since, in order.
    """

    public_key: str
    wrapping_key_box: str
    so_pin_box: str
    identity_box: str
    wrapped: tuple[WrappedKey, ...]
    births: tuple[Birth, ...] = ()

    @property
    def all_wrapped(self) -> tuple[WrappedKey, ...]:
        """Every key that can be restored."""
        return (*self.wrapped, *(key for birth in self.births for key in birth.wrapped))


_unseal = msgspec.json.Decoder(UnsealRecord)
_recovery = msgspec.json.Decoder(RecoveryRecord)
AnyRecord = TypeVar("AnyRecord", UnsealRecord, RecoveryRecord)


def dump_record(record: UnsealRecord | RecoveryRecord) -> bytes:
    """The record as indented JSON with a final newline."""
    return msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n"


def load_unseal_record(data: bytes) -> UnsealRecord:
    """The record of a file's bytes.

    Raises:
        RecordMalformed: not such a record, or one that no ceremony writes (a threshold of 1, doubled names).
    """
    return _load(_unseal, data)


def load_recovery_record(data: bytes) -> RecoveryRecord:
    """As load_unseal_record."""
    return _load(_recovery, data)


def _load(decoder: msgspec.json.Decoder[AnyRecord], data: bytes) -> AnyRecord:
    try:
        record = decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as e:
        raise RecordMalformed(f"A quorum's record cannot be read: {e}.") from None
    check_quorum(record)
    return record


def check_quorum(record: Quorum) -> None:
    """Raises RecordMalformed unless thresholds, names, indexes and digests have the shape that a ceremony gives."""
    names = [holder.name for holder in record.holders]
    if not 2 <= record.threshold <= len(names) <= 16:
        raise RecordMalformed(f"The record asks for {record.threshold} of {len(names)} holders.")
    if len(set(names)) != len(names):
        raise RecordMalformed("The record names a holder twice.")
    if [holder.index for holder in record.holders] != list(range(len(names))):
        raise RecordMalformed("The record's shares are not numbered in order.")
    if not all(is_sha256_hex(digest) for digest in [record.check, *(h.commitment for h in record.holders)]):
        raise RecordMalformed("A digest of the record is not a SHA-256 in hex.")
    if record.epoch < 1:
        raise RecordMalformed(f"The record is of epoch {record.epoch}; epochs count from 1.")
