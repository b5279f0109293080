"""The key that teams encrypt their backups to, out of the pins, in each form that a foreign tool takes."""

from __future__ import annotations

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hsmpub.client.trust import KeyNotPinned
from hsmpub.errors import Invalid
from hsmpub.formats.openpgp_encryption_read import check_encryption_certificate
from hsmpub.formats.public_key import load_encryption_key
from hsmpub.formats.x509_encryption import check_certificates
from hsmpub.model.key import DECRYPTS, KeyRecord
from hsmpub.model.trust import Trust


class SeveralBackupKeys(Invalid):
    advice = "Name the one you mean with --name."


class CertifierNotPinned(Invalid):
    advice = "Get the current trust.json: it names the key that vouches for the backup key."


def find_backup_key(trust: Trust, name: str = "") -> KeyRecord:
    """The decryption key of this name; without a name, the only one.

    Raises:
        KeyNotPinned, SeveralBackupKeys.
    """
    found = [key for key in trust.keys if key.kind == DECRYPTS and name in ("", key.name)]
    if not found:
        raise KeyNotPinned(f"The pins name no decryption key{f' {name!r}' if name else ''}.")
    if len(found) > 1:
        raise SeveralBackupKeys(f"There are several: {', '.join(key.name for key in found)}.")
    return found[0]


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
    """The key that vouches for decryption keys: it has a certificate, and makes no format. Raises
    CertifierNotPinned."""
    found = [key for key in trust.keys if key.certificates and key.kind == "p256" and not key.formats]
    if len(found) != 1:
        raise CertifierNotPinned(f"The pins name {len(found)} keys that vouch for backup keys, not one.")
    return found[0]
