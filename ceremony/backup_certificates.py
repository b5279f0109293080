"""The certificates of the backup key, by which foreign tools encrypt to it. Checked after they are made."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ceremony.keys import BACKUP_CERTIFIER, BACKUP_KEY
from hsmpub.formats.openpgp_encryption import assemble_encryption_certificate, prepare_encryption_certificate
from hsmpub.formats.openpgp_encryption_read import check_encryption_certificate
from hsmpub.formats.x509_encryption import build_certificates, check_certificates
from hsmpub.hsm.signer import TokenSigner
from hsmpub.model.key import KeyRecord


def certify_backup_key(
    keys: Sequence[KeyRecord], service: str, user_id: str, at: int, signer: TokenSigner
) -> tuple[KeyRecord, ...]:
    """The keys, with an OpenPGP certificate and X.509 certificates of the backup key.

    Raises:
        The rules of hsmpub.formats: what was made is not what it should be.
    """
    named = {key.name: key for key in keys}
    certifier, key = named[BACKUP_CERTIFIER], named[BACKUP_KEY]

    def sign(digest: bytes) -> bytes:
        return signer.sign(certifier.name, digest)

    first, second = prepare_encryption_certificate(certifier, key, backup_user_id(user_id), at=at)
    openpgp = assemble_encryption_certificate((first, sign(first.payload)), (second, sign(second.payload)))
    authority, leaf = build_certificates(certifier, key, service, at=at, sign=sign)
    certifier = msgspec.structs.replace(certifier, certificates=authority)
    key = msgspec.structs.replace(key, openpgp=openpgp, certificates=leaf)
    check_encryption_certificate(openpgp, certifier, key)
    check_certificates(certifier, key)
    named |= {certifier.name: certifier, key.name: key}
    return tuple(named[one.name] for one in keys)


def backup_user_id(user_id: str) -> str:
    """`Acme <releases@acme.example>` as `Acme backups <releases@acme.example>`, so that nobody takes the one for the
    other in a key ring."""
    name, mark, address = user_id.partition(" <")
    return f"{name[:92]} backups{mark}{address}"
