"""The certificates of the backup key, by which foreign tools encrypt to it. Checked after they are made.

One key of the genesis vouches for every decryption key, also for those that take another's place later: who has its
OpenPGP certificate imports the new one into it, and whoever pinned its X.509 certificate needs no other.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from ceremony.keys import BACKUP_CERTIFIER
from hsmpub.errors import NotFound
from hsmpub.formats.openpgp.encryption import assemble_encryption_certificate, prepare_encryption_certificate
from hsmpub.formats.openpgp.encryption_read import check_encryption_certificate
from hsmpub.formats.x509_encryption import build_certificates, check_certificates
from hsmpub.hsm.signer import TokenSigner
from hsmpub.model.key import DECRYPTS, KeyRecord


class NoCertifier(NotFound):
    advice = "The service was born without decryption keys; a service of a newer genesis has them."


def certify_backup_key(
    certifier: KeyRecord, key: KeyRecord, service: str, user_id: str, at: int, signer: TokenSigner
) -> tuple[KeyRecord, KeyRecord]:
    """Certifier and decryption key, with an OpenPGP certificate and X.509 certificates.

    Args:
        certifier: keeps the X.509 certificate that it has; it gets one at genesis.
        user_id: of the OpenPGP certificate, as it stands. at: seconds since 1970.

    Raises:
        The rules of hsmpub.formats: what was made is not what it should be.
    """

    def sign(digest: bytes) -> bytes:
        return signer.sign(certifier.name, digest)

    first, second = prepare_encryption_certificate(certifier, key, user_id, at=at)
    openpgp = assemble_encryption_certificate((first, sign(first.payload)), (second, sign(second.payload)))
    authority, leaf = build_certificates(certifier, key, service, at=at, sign=sign)
    certified = msgspec.structs.replace(certifier, certificates=certifier.certificates or authority)
    made = msgspec.structs.replace(key, openpgp=openpgp, certificates=leaf)
    check_encryption_certificate(openpgp, certified, made)
    check_certificates(certified, made)
    return certified, made


def certifier_among(keys: Mapping[str, KeyRecord]) -> KeyRecord:
    """The key that vouches for decryption keys. Raises NoCertifier."""
    found = keys.get(BACKUP_CERTIFIER)
    if found is None:
        raise NoCertifier("The service has no key that vouches for decryption keys.")
    return found


def known_user_id(keys: Mapping[str, KeyRecord]) -> str:
    """What the service's newest decryption key is called, for one that is made after it. Raises NoCertifier."""
    named = [key for key in keys.values() if key.kind == DECRYPTS and key.openpgp]
    if not named:
        raise NoCertifier("The service has no decryption key.")
    return check_encryption_certificate(named[-1].openpgp, certifier_among(keys), named[-1])


def backup_user_id(user_id: str) -> str:
    """`Acme <releases@acme.example>` as `Acme backups <releases@acme.example>`, so that nobody takes the one for the
    other in a key ring."""
    name, mark, address = user_id.partition(" <")
    return f"{name[:92]} backups{mark}{address}"
