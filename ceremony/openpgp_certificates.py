"""OpenPGP certificates of the keys that a ceremony made: of version 4, of version 6, or of both."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import msgspec

from hsmpub.formats.openpgp.certificate import assemble_certificate, openpgp_fingerprint, prepare_certificate
from hsmpub.formats.openpgp.certificate_read import check_certificate
from hsmpub.formats.openpgp.encryption import subkey_fingerprint
from hsmpub.formats.openpgp.v6_certificate import (
    assemble_v6_certificate,
    openpgp_v6_fingerprint,
    prepare_v6_certificate,
)
from hsmpub.formats.openpgp.v6_certificate_read import check_v6_certificate
from hsmpub.formats.openpgp.v6_signature import SALT_BYTES
from hsmpub.formats.purposes import OPENPGP_FORMATS, OPENPGP_V6_FORMATS
from hsmpub.hsm.signer import TokenSigner
from hsmpub.model.key import DECRYPTS, KeyRecord


def certify(keys: Sequence[KeyRecord], user_id: str, at: int, signer: TokenSigner) -> tuple[KeyRecord, ...]:
    """The keys, with an OpenPGP certificate for each that makes OpenPGP signatures, of the version that it makes,
    checked after it is made."""
    done = []
    for key in keys:
        if OPENPGP_FORMATS.intersection(key.formats):
            prepared = prepare_certificate(key, user_id, at=at)
            signature = signer.sign(key.name, prepared.payload, prepared.hash)
            key = msgspec.structs.replace(key, openpgp=assemble_certificate(prepared, signature))
            check_certificate(key.openpgp, key)
        if OPENPGP_V6_FORMATS.intersection(key.formats):
            key = _certify_v6(key, user_id, at, signer)
        done.append(key)
    return tuple(done)


def _certify_v6(key: KeyRecord, user_id: str, at: int, signer: TokenSigner) -> KeyRecord:
    salts = secrets.token_bytes(SALT_BYTES), secrets.token_bytes(SALT_BYTES)
    prepared = direct, called = prepare_v6_certificate(key, user_id, salts, at=at)
    raw = (signer.sign(key.name, direct.payload, direct.hash), signer.sign(key.name, called.payload, called.hash))
    key = msgspec.structs.replace(key, openpgp_v6=assemble_v6_certificate(key, prepared, raw))
    check_v6_certificate(key.openpgp_v6, key)
    return key


def certificate_facts(keys: Sequence[KeyRecord]) -> list[dict[str, str]]:
    """What a transcript says of them. A key with certificates of both versions comes twice."""
    older = [
        {"key": key.name, "fingerprint": subkey_fingerprint(key).hex().upper() if key.kind == DECRYPTS
         else openpgp_fingerprint(key)}
        for key in keys if key.openpgp
    ]  # fmt: skip
    return older + [{"key": key.name, "fingerprint": openpgp_v6_fingerprint(key)} for key in keys if key.openpgp_v6]
