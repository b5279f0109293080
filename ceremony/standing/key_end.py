"""The end of a key: retired, it signs nothing and stays for what it signed; destroyed, token and backup lose it.

Backups that were taken before still hold a destroyed key, wrapped for the recovery quorum: who wants it gone destroys
those, too.
"""

from __future__ import annotations

import secrets

from ceremony.backup_certificates import certifier_among
from ceremony.standing.held import Held
from ceremony.standing.key_announce import announce, existing, policy_uses
from ceremony.standing.key_files import KeyDestroyFile, KeyRetireFile
from ceremony.standing.kind import Kind, Papers
from ceremony.standing.quorum import AtHand, open_pin
from ceremony.wrapped_keys import without_keys
from hsmpub.formats.openpgp.change import assemble_revocation, prepare_revocation
from hsmpub.formats.openpgp.change_read import check_revocation
from hsmpub.formats.openpgp.subkey import assemble_subkey_revocation, prepare_subkey_revocation
from hsmpub.formats.openpgp.subkey_read import check_subkey_revocation
from hsmpub.formats.openpgp.v6_certificate import assemble_v6_revocation, prepare_v6_revocation
from hsmpub.formats.openpgp.v6_certificate_read import check_v6_revocation
from hsmpub.formats.openpgp.v6_signature import SALT_BYTES
from hsmpub.hsm.custody import destroy_keys
from hsmpub.hsm.signer import TokenSigner
from hsmpub.model import entry as e
from hsmpub.model.key import DECRYPTS, KeyRecord
from hsmpub.secret.page import SecretPage
from hsmpub.shares.record_file import dump_record

OLD_BACKUPS = "Backups taken before still hold it, wrapped for the recovery quorum: destroy them, too."


def run_retire(held: Held, papers: Papers[KeyRetireFile], shares: AtHand) -> None:
    """Ends the signing of each key, with an OpenPGP revocation where it has a certificate.

    Raises:
        NoSuchKey, KeyStateUnfit, KeyOfTheService, and the rules of a refused share, of hsmpub.hsm and of Held.finish.
    """
    retired = []
    keys = [(existing(held, one.name, "active").record, one.reason) for one in papers.file.keys]
    with SecretPage() as pin:
        open_pin(held, shares.unseal, pin)
        with TokenSigner(held.hsm, pin) as signer:
            for record, reason in keys:
                revoke(held, signer, record, reason, "it signs nothing any more")
                held.recorder.record("key retired", name=record.name, reason=reason, successor="",
                                     still_in_policy=list(policy_uses(held, record.name)))  # fmt: skip
                retired.append(e.Retirement(record.name, reason))
            announce(held, signer, retired=tuple(retired))


def revoke(held: Held, signer: TokenSigner, key: KeyRecord, reason: e.RetirementReason, said: str) -> None:
    """Writes the key's OpenPGP revocation of each version of which it has a certificate, for whoever verifies."""
    if key.openpgp_v6:
        _revoke_v6(held, signer, key, reason, said)
    if not key.openpgp:
        return
    if key.kind == DECRYPTS:  # it signs nothing: its certifier says so
        _revoke_subkey(held, signer, key, reason)
        return
    prepared = prepare_revocation(key, reason, said, at=held.at)
    revocation = assemble_revocation(prepared, signer.sign(key.name, prepared.payload, prepared.hash))
    check_revocation(revocation, key)
    held.output(f"{key.name}-revocation.asc", revocation.encode())


def _revoke_v6(held: Held, signer: TokenSigner, key: KeyRecord, reason: e.RetirementReason, said: str) -> None:
    prepared = prepare_v6_revocation(key, reason, said, secrets.token_bytes(SALT_BYTES), at=held.at)
    raw = signer.sign(key.name, prepared.payload, prepared.hash)
    revocation = assemble_v6_revocation(key, prepared, raw)
    check_v6_revocation(revocation, key)
    held.output(f"{key.name}-revocation.v6.asc", revocation.encode())


def _revoke_subkey(held: Held, signer: TokenSigner, key: KeyRecord, reason: e.RetirementReason) -> None:
    certifier = certifier_among(held.state.keys.active)
    prepared = prepare_subkey_revocation(certifier, key, reason, "nothing is encrypted to it any more", at=held.at)
    revocation = assemble_subkey_revocation(prepared, signer.sign(certifier.name, prepared.payload, prepared.hash))
    check_subkey_revocation(revocation, certifier, key)
    held.output(f"{key.name}-revocation.asc", revocation.encode())


def run_destroy(held: Held, papers: Papers[KeyDestroyFile], shares: AtHand) -> None:
    """Destroys retired keys in the token (C_DestroyObject), and takes their wrapped backups out of the home.

    Raises:
        NoSuchKey, KeyStateUnfit, KeyOfTheService: only a retired key can be destroyed.
        KeyNotDestroyed, and the rules of a refused share, of hsmpub.hsm and of Held.finish.
    """
    names = tuple(existing(held, one.name, "retired").name for one in papers.file.keys)
    with SecretPage() as pin:
        open_pin(held, shares.unseal, pin)
        held.act(names=list(names))
        destroy_keys(held.hsm, pin, names)
        record = without_keys(held.opened.recovery_record(), names)
        held.replace(held.home.recovery_record, dump_record(record))
        held.recorder.record("keys destroyed", names=list(names), old_backups=OLD_BACKUPS)
        with TokenSigner(held.hsm, pin) as signer:
            announce(held, signer, destroyed=names)


KEY_RETIRE = Kind("key-retire", KeyRetireFile, run_retire)
KEY_DESTROY = Kind("key-destroy", KeyDestroyFile, run_destroy)
