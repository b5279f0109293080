"""The keys that every service is born with, and what each may ever make (purpose pinning)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hsmpub.formats.registry import check_key
from hsmpub.hsm.config import BornKey, KeySpec
from hsmpub.model.key import KeyKind, KeyRecord

LOG_KEY = "log"
SEALING_KEY = "sealing"
#: Teams encrypt their backups to it; it decrypts and never signs.
BACKUP_KEY = "backup"
#: Vouches for the backup key, in the ceremony and never again; no format is made with it.
BACKUP_CERTIFIER = "backup-certify"

#: name → kind and formats. Formats that sign a bare digest keep to a key of their own (hsmpub.formats.purposes);
#: `routine` is for what nobody approves, so that its signatures are never those of a release.
_KEYS: dict[str, tuple[KeyKind, tuple[str, ...]]] = {
    "release": ("p256", ("openpgp", "sshsig", "dsse")),
    "release-bundle": ("p256", ("sigstore-bundle", "der-signature")),
    "release-openpgp": ("rsa3072", ("openpgp",)),
    "routine": ("p256", ("openpgp", "sshsig", "dsse")),
    LOG_KEY: ("ed25519", ()),
    BACKUP_KEY: ("rsa3072-decrypt", ()),
    BACKUP_CERTIFIER: ("p256", ()),
    SEALING_KEY: ("aes256", ()),
}


def key_specs() -> tuple[KeySpec, ...]:
    """What is to be born."""
    return tuple(KeySpec(name, kind) for name, (kind, _) in _KEYS.items())


def planned_keys() -> Mapping[str, KeyRecord]:
    """The keys before their birth: names, kinds and formats, against which a policy is checked.

    Raises:
        UnknownFormat, KeyKindUnfit, PurposesMixed: a key that could not do what it is for.
    """
    planned = {name: KeyRecord(name, kind, "", 0, formats) for name, (kind, formats) in _KEYS.items()}
    for key in planned.values():
        check_key(key)
    return planned


def key_records(born: Sequence[BornKey], created_at: int) -> tuple[KeyRecord, ...]:
    """The public face of the born keys; certificates are still to be made."""
    return tuple(KeyRecord(key.name, key.kind, key.public_pem, created_at, _KEYS[key.name][1]) for key in born)
