"""The key that teams encrypt their backups to, out of the pins, in each form that a foreign tool takes."""

from __future__ import annotations

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hsmpub.client.trust import KeyNotPinned
from hsmpub.errors import Conflict, Invalid
from hsmpub.formats.openpgp.encryption_read import check_encryption_certificate
from hsmpub.formats.public_key import load_encryption_key
from hsmpub.formats.x509_encryption import check_certificates
from hsmpub.model.key import DECRYPTS, KeyRecord
from hsmpub.model.trust import Trust, known_keys


class SeveralBackupKeys(Invalid):
    advice = "Name the one you mean with --name."


class CertifierNotPinned(Invalid):
    advice = "Get the current trust.json: it names the key that vouches for the backup key."


class BackupKeyRetired(Conflict):
    advice = "Leave --name out: the key in force is meant then. What was encrypted to the old one still opens."


def find_backup_key(trust: Trust, name: str = "") -> KeyRecord:
    """The decryption key of this name that is in force; without a name, the only one.

    Raises:
        KeyNotPinned, SeveralBackupKeys, BackupKeyRetired, TrustMalformed.
    """
    found = [key for key in known_keys(trust).known if key.record.kind == DECRYPTS and name in ("", key.name)]
    if not found:
        raise KeyNotPinned(f"The pins name no decryption key{f' {name!r}' if name else ''}.")
    active = [key.record for key in found if key.state == "active"]
    if not active:
        raise BackupKeyRetired(f"Nothing is encrypted to {found[-1].name!r} any more: it is {found[-1].state}.")
    if len(active) > 1:
        raise SeveralBackupKeys(f"There are several: {', '.join(key.name for key in active)}.")
    return active[0]


def age_recipient(key: KeyRecord) -> str:
    """`ssh-rsa AAAA… NAME`, as `age -r` takes it. Raises PublicKeyUnfit."""
    line = load_encryption_key(key).public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return f"{line} hsmpub-{key.name}"


def openpgp_certificate(trust: Trust, key: KeyRecord) -> str:
    """Armoured. Raises CertifierNotPinned and the rules of `check_encryption_certificate`."""
    check_encryption_certificate(key.openpgp, certifier_of(trust), key)
    return key.openpgp


def x509_certificate(trust: Trust, key: KeyRecord) -> str:
    """PEM. Raises CertifierNotPinned, X509Differs."""
    check_certificates(certifier_of(trust), key)
    return key.certificates


def certifier_of(trust: Trust) -> KeyRecord:
    """The key of the genesis that vouches for decryption keys: it has a certificate, and makes no format.

    Raises:
        CertifierNotPinned.
    """
    born_later = {name for name, life in trust.lives.items() if life.born}
    found = [
        one
        for one in trust.keys
        if one.certificates and one.kind == "p256" and not one.formats and one.name not in born_later
    ]
    if len(found) != 1:
        raise CertifierNotPinned(f"The pins name {len(found)} keys that vouch for backup keys, not one.")
    return found[0]
