"""Certificates with a signing subkey, and revocations of it, of each version of OpenPGP: signed in the HSM, read back
by independent code, and written into the ceremony's folder."""

from __future__ import annotations

import secrets

from ceremony.standing.held import Held
from hsmpub.formats.openpgp.certificate import openpgp_fingerprint
from hsmpub.formats.openpgp.subkey import (
    assemble_back_signature,
    assemble_signing_certificate,
    assemble_subkey_revocation,
    prepare_back_signature,
    prepare_signing_certificate,
    prepare_subkey_revocation,
)
from hsmpub.formats.openpgp.subkey_read import (
    SigningCertificateFacts,
    check_signing_certificate,
    check_subkey_revocation,
)
from hsmpub.formats.openpgp.v6_certificate import openpgp_v6_fingerprint
from hsmpub.formats.openpgp.v6_signature import SALT_BYTES
from hsmpub.formats.openpgp.v6_subkey import (
    assemble_v6_back_signature,
    assemble_v6_signing_certificate,
    assemble_v6_subkey_revocation,
    prepare_v6_back_signature,
    prepare_v6_signing_certificate,
    prepare_v6_subkey_revocation,
)
from hsmpub.formats.openpgp.v6_subkey_read import check_v6_signing_certificate, check_v6_subkey_revocation
from hsmpub.formats.purposes import OPENPGP_FORMATS, OPENPGP_V6_FORMATS
from hsmpub.hsm.signer import TokenSigner
from hsmpub.model.digest import sha256_hex
from hsmpub.model.entry import RetirementReason
from hsmpub.model.key import KeyRecord

_SAID = "it signs nothing any more"


def makes_v4(key: KeyRecord) -> bool:
    return bool(OPENPGP_FORMATS.intersection(key.formats))


def makes_v6(key: KeyRecord) -> bool:
    return bool(OPENPGP_V6_FORMATS.intersection(key.formats))


def write_certificates(
    held: Held, signer: TokenSigner, primary: KeyRecord, key: KeyRecord, user_id: str, **ends: int
) -> None:
    """One of each version that the key makes. ends: `lifetime` and `key_lifetime`, as `prepare_signing_certificate`.

    Raises the rules of hsmpub.hsm and hsmpub.formats.
    """
    if makes_v4(key):
        back = prepare_back_signature(primary, key, at=held.at)
        backed = assemble_back_signature(back, signer.sign(key.name, back.payload, back.hash))
        first, second = prepare_signing_certificate(primary, key, user_id, backed, at=held.at, **ends)
        made = [(part, signer.sign(primary.name, part.payload, part.hash)) for part in (first, second)]
        certificate = assemble_signing_certificate(made[0], made[1])
        facts = check_signing_certificate(certificate, primary, key)
        prints = openpgp_fingerprint(primary), openpgp_fingerprint(key)
        _write_certificate(held, f"{key.name}-of-{primary.name}.asc", certificate, primary, key, facts, prints)
    if makes_v6(key):
        back = prepare_v6_back_signature(primary, key, _salt(), at=held.at)
        backed = assemble_v6_back_signature(back, signer.sign(key.name, back.payload, back.hash))
        salts = _salt(), _salt(), _salt()
        parts = prepare_v6_signing_certificate(primary, key, user_id, backed, salts, at=held.at, **ends)
        direct, called, bound = (signer.sign(primary.name, part.payload, part.hash) for part in parts)
        certificate = assemble_v6_signing_certificate(primary, key, parts, (direct, called, bound))
        facts = check_v6_signing_certificate(certificate, primary, key)
        prints = openpgp_v6_fingerprint(primary), openpgp_v6_fingerprint(key)
        _write_certificate(held, f"{key.name}-of-{primary.name}.v6.asc", certificate, primary, key, facts, prints)


def _write_certificate(
    held: Held, name: str, certificate: str, primary: KeyRecord, key: KeyRecord, facts: SigningCertificateFacts,
    fingerprints: tuple[str, str],
) -> None:  # fmt: skip
    held.output(name, certificate.encode())
    held.recorder.record(
        "OpenPGP certificate", primary=primary.name, key=key.name, user_id=facts.user_id,
        fingerprint=fingerprints[0], subkey=fingerprints[1], expires_at=facts.expires_at,
        key_expires_at=facts.key_expires_at, sha256=sha256_hex(certificate.encode()),
    )  # fmt: skip


def write_revocations(
    held: Held, signer: TokenSigner, primary: KeyRecord, key: KeyRecord, reason: RetirementReason
) -> None:
    """One of each version that the key makes; of version 4 also where it makes none of either.

    Raises the rules of hsmpub.hsm and hsmpub.formats.
    """
    name = f"{key.name}-of-{primary.name}-revocation"
    if makes_v4(key) or not makes_v6(key):
        prepared = prepare_subkey_revocation(primary, key, reason, _SAID, at=held.at)
        raw = signer.sign(primary.name, prepared.payload, prepared.hash)
        revocation = assemble_subkey_revocation(prepared, raw)
        check_subkey_revocation(revocation, primary, key)
        _write_revocation(held, f"{name}.asc", revocation, primary, key, reason)
    if makes_v6(key):
        prepared = prepare_v6_subkey_revocation(primary, key, reason, _SAID, _salt(), at=held.at)
        raw = signer.sign(primary.name, prepared.payload, prepared.hash)
        revocation = assemble_v6_subkey_revocation(primary, key, prepared, raw)
        check_v6_subkey_revocation(revocation, primary, key)
        _write_revocation(held, f"{name}.v6.asc", revocation, primary, key, reason)


def _write_revocation(
    held: Held, name: str, revocation: str, primary: KeyRecord, key: KeyRecord, reason: RetirementReason
) -> None:
    held.output(name, revocation.encode())
    held.recorder.record("OpenPGP subkey revoked", primary=primary.name, key=key.name, reason=reason,
                         sha256=sha256_hex(revocation.encode()))  # fmt: skip


def _salt() -> bytes:
    return secrets.token_bytes(SALT_BYTES)
