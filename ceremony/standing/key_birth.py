"""New keys on a home that exists: born in a throw-away token, backed up at birth for the recovery quorum, taken in.

`key-generate` adds keys; `key-rotate` puts each in another one's place, which signs nothing from then on. Only once the
log has them do they exist: a ceremony that is killed before destroys what it had taken in, and makes others.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ceremony import birth
from ceremony.backup_certificates import certifier_among, certify_backup_key, known_user_id
from ceremony.fingerprint import fingerprint_words, public_key_der
from ceremony.openpgp_certificates import certificate_facts, certify
from ceremony.softhsm import find_softhsm
from ceremony.standing.held import Held
from ceremony.standing.key_announce import KeyNameTaken, announce, check_new_name, existing
from ceremony.standing.key_end import revoke
from ceremony.standing.key_files import KeyGenerateFile, KeyRotateFile, NewKey, Successor, check_new_key
from ceremony.standing.kind import Kind, Papers
from ceremony.standing.quorum import AtHand, open_pin
from ceremony.standing.transition import make_transition
from hsmpub.errors import Conflict
from hsmpub.formats.openpgp.certificate_read import check_certificate
from hsmpub.formats.openpgp.encryption_read import check_encryption_certificate
from hsmpub.formats.openpgp.v6_certificate_read import check_v6_certificate
from hsmpub.formats.purposes import OPENPGP_CERTIFIED
from hsmpub.hsm.birth import bear_keys
from hsmpub.hsm.config import BornKey, KeySpec
from hsmpub.hsm.custody import destroy_keys, find_keys, import_keys
from hsmpub.hsm.signer import TokenSigner
from hsmpub.model import entry as e
from hsmpub.model.key import DECRYPTS, KeyRecord
from hsmpub.model.keys import Key
from hsmpub.secret.page import SecretPage
from hsmpub.shares.record import Birth, WrappedKey
from hsmpub.shares.record_file import dump_record
from hsmpub.shares.recovery import birth_content, seal_for_recovery


class SuccessorUnfit(Conflict):
    advice = "A key that decrypts is followed by one that decrypts, a key that signs by one that signs."


def run_generate(held: Held, papers: Papers[KeyGenerateFile], shares: AtHand) -> None:
    """Makes the keys of the file.

    Raises:
        KeyNameTaken, NoCertifier, and the rules of a refused share, of hsmpub.hsm and of Held.finish.
    """
    _make(held, shares, papers.file.keys, (), "retired")


def run_rotate(held: Held, papers: Papers[KeyRotateFile], shares: AtHand) -> None:
    """Makes each new key and retires the one before, with a statement that both sign.

    Raises:
        NoSuchKey, KeyStateUnfit, KeyOfTheService, SuccessorUnfit, KeyNameTaken, UnknownFormat, NoCertifier and the
        other rules of a new key.
        The rules of a refused share, of hsmpub.hsm and of Held.finish.
    """
    file = papers.file
    old = [existing(held, one.replaces, "active") for one in file.keys]
    new = [_as_before(held, one, key.record) for one, key in zip(file.keys, old, strict=True)]
    _make(held, shares, new, old, file.reason)


def _as_before(held: Held, one: Successor, old: KeyRecord) -> NewKey:
    """What the file leaves out is as the old key has it."""
    formats = old.formats if one.formats is None else one.formats
    kind = one.kind or old.kind
    if (kind == DECRYPTS) != (old.kind == DECRYPTS):
        raise SuccessorUnfit(f"{one.name!r} is to be {kind}, and {old.name!r} is {old.kind}.")
    user_id = one.openpgp_user_id
    if user_id is None:
        user_id = _user_id(held, old) if kind == DECRYPTS or OPENPGP_CERTIFIED.intersection(formats) else ""
    made = NewKey.model_validate({"name": one.name, "kind": kind, "formats": formats, "openpgp_user_id": user_id})
    check_new_key(made)
    return made


def _user_id(held: Held, key: KeyRecord) -> str:
    if not key.openpgp:
        return check_v6_certificate(key.openpgp_v6, key).user_id if key.openpgp_v6 else ""
    if key.kind == DECRYPTS:
        return check_encryption_certificate(key.openpgp, certifier_among(held.state.keys.active), key)
    return check_certificate(key.openpgp, key).user_id


def _make(
    held: Held, shares: AtHand, new: Sequence[NewKey], old: Sequence[Key], reason: e.RetirementReason
) -> None:  # fmt: skip
    for one in new:
        check_new_name(held, one.name)
    names = [one.name for one in new]
    with SecretPage() as pin:
        open_pin(held, shares.unseal, pin)
        if held.resumed is not None:
            destroy_keys(held.hsm, pin, names)  # of the birth that was interrupted; the log knows nothing of it
        elif foreign := find_keys(held.hsm, pin, names):
            raise KeyNameTaken(f"The token holds something named {foreign[0]!r} that the log does not know.")
        held.act(names=names)
        born = _bear(held, pin, new)
        with TokenSigner(held.hsm, pin) as signer:
            records = _certified(held, signer, new, born)
            retired = [_replaced(held, signer, key.record, by, reason) for key, by in zip(old, records, strict=False)]
            announce(held, signer, born=tuple(records), retired=tuple(retired))


def _bear(held: Held, pin: SecretPage, new: Sequence[NewKey]) -> list[BornKey]:
    """Born, wrapped for the recovery quorum, and in the token."""
    recovery = held.opened.recovery_record()
    with SecretPage() as wrapping_key:
        birth.fill_random(wrapping_key)
        born = bear_keys(find_softhsm(), [KeySpec(one.name, one.kind) for one in new], wrapping_key)
        box = seal_for_recovery(
            bytes.fromhex(recovery.public_key), recovery.epoch, birth_content(held.number), wrapping_key.view
        )
        custody = import_keys(held.hsm, pin, born, wrapping_key)
    held.recorder.record("keys taken in", label=held.hsm.token, custody=custody)
    wrapped = tuple(WrappedKey(name=key.name, kind=key.kind, public=key.public_pem, wrapped=key.wrapped.hex())
                    for key in born)  # fmt: skip
    made = Birth(number=held.number, wrapping_key_box=box, wrapped=wrapped)
    record = msgspec.structs.replace(recovery, births=(*recovery.births, made))
    held.replace(held.home.recovery_record, dump_record(record))
    return born


def _certified(
    held: Held, signer: TokenSigner, new: Sequence[NewKey], born: Sequence[BornKey]
) -> list[KeyRecord]:  # fmt: skip
    """The public faces, with their OpenPGP certificates."""
    records = []
    for one, key in zip(new, born, strict=True):
        record = KeyRecord(key.name, key.kind, key.public_pem, held.at, one.formats)
        if record.kind == DECRYPTS:
            record = _certified_for_backups(held, signer, one, record)
        [record] = certify([record], one.openpgp_user_id, held.at, signer)
        if record.openpgp:
            held.output(f"{record.name}.asc", record.openpgp.encode())
        if record.openpgp_v6:
            held.output(f"{record.name}.v6.asc", record.openpgp_v6.encode())
        held.output(f"{record.name}.pem", record.public.encode())
        records.append(record)
    birth.record_keys(held.recorder, "keys born", records)
    held.recorder.record("backup of the keys", sealed=["wrapping key"], wrapped=[key.name for key in born])
    if any(record.openpgp or record.openpgp_v6 for record in records):
        held.recorder.record("certificates", openpgp=certificate_facts(records))
    return records


def _certified_for_backups(held: Held, signer: TokenSigner, one: NewKey, record: KeyRecord) -> KeyRecord:
    known = held.state.keys.active
    user_id = one.openpgp_user_id or known_user_id(known)
    _, made = certify_backup_key(certifier_among(known), record, held.trust.service, user_id, held.at, signer)
    held.output(f"{made.name}.crt", made.certificates.encode())
    return made


def _replaced(
    held: Held, signer: TokenSigner, old: KeyRecord, new: KeyRecord, reason: e.RetirementReason
) -> e.Retirement:  # fmt: skip
    if old.kind != DECRYPTS:  # else neither signs; one certifier vouches for both
        make_transition(held, signer, old, new, by_old=reason != "compromised")
    revoke(held, signer, old, reason, f"{new.name} takes its place")
    held.recorder.record("key retired", name=old.name, reason=reason, successor=new.name,
                         words=fingerprint_words(public_key_der(new.public)))  # fmt: skip
    return e.Retirement(old.name, reason, new.name)


KEY_GENERATE = Kind("key-generate", KeyGenerateFile, run_generate)
KEY_ROTATE = Kind("key-rotate", KeyRotateFile, run_rotate)
