"""From an old key to a new one: a statement that both sign, and OpenPGP certificates that vouch for one another.

A key that others may know vouches for nothing: then the new one signs alone.
"""

from __future__ import annotations

import hashlib
import secrets

from ceremony.fingerprint import fingerprint_words, public_key_der
from ceremony.standing.held import Held
from hsmpub.formats.context import Context
from hsmpub.formats.format import Artifact
from hsmpub.formats.openpgp.certificate_read import check_certificate
from hsmpub.formats.openpgp.change import assemble_vouching, prepare_vouching
from hsmpub.formats.openpgp.change_read import check_vouching
from hsmpub.formats.openpgp.v6_certificate import assemble_v6_vouching, prepare_v6_vouching
from hsmpub.formats.openpgp.v6_certificate_read import check_v6_certificate, check_v6_vouching
from hsmpub.formats.openpgp.v6_signature import SALT_BYTES
from hsmpub.formats.registry import get_format
from hsmpub.formats.sha256state import Sha256State
from hsmpub.formats.source import BytesSource
from hsmpub.hsm.signer import TokenSigner
from hsmpub.model.clock import rfc3339
from hsmpub.model.key import KeyRecord

#: Formats that sign any file as it is.
_FOR_TEXTS = ("openpgp", "openpgp-v6", "sshsig", "dsse", "sigstore-bundle", "der-signature")


def make_transition(held: Held, signer: TokenSigner, old: KeyRecord, new: KeyRecord, *, by_old: bool) -> None:
    """Writes them into the ceremony's folder, each read back by independent code.

    by_old: the old key signs too.

    Raises the rules of hsmpub.hsm and hsmpub.formats.
    """
    name = f"{old.name}-to-{new.name}.txt"
    text = _statement(held, old, new).encode()
    held.output(name, text)
    signed = [key.name for key in ([old, new] if by_old else [new]) if _sign(held, signer, key, name, text)]
    pairs = [(old, new), (new, old)] if by_old else [(new, old)]
    if old.openpgp and new.openpgp:
        for by, certified in pairs:
            _vouch(held, signer, by, certified)
    if old.openpgp_v6 and new.openpgp_v6:
        for by, certified in pairs:
            _vouch_v6(held, signer, by, certified)
    held.recorder.record("transition", old=old.name, new=new.name, statement=hashlib.sha256(text).hexdigest(),
                         signed_by=signed)  # fmt: skip


def _statement(held: Held, old: KeyRecord, new: KeyRecord) -> str:
    lines = [
        f"The service {held.trust.service} signs with the key {new.name} in place of {old.name},",
        f"from {rfc3339(held.at)} on. SHA-256 of the public keys (SubjectPublicKeyInfo), in hex and in words:",
    ]
    for key in (old, new):
        der = public_key_der(key.public)
        lines += ["", key.name, f"  {hashlib.sha256(der).hexdigest()}", f"  {fingerprint_words(der)}"]
    return "\n".join(lines) + "\n"


def _sign(held: Held, signer: TokenSigner, key: KeyRecord, name: str, text: bytes) -> bool:
    """In the first of the key's formats that takes a text; False: it makes none."""
    name_of_format = next((one for one in _FOR_TEXTS if one in key.formats), "")
    if not name_of_format:
        return False
    form = get_format(name_of_format)
    details = {form.name: form.extract(BytesSource(text))} if form.detail_limit else {}
    artifact, context = Artifact(name, Sha256State.of(text), details), Context(at=held.at, service=held.trust.service)
    prepared = form.prepare(artifact, key, context)
    output = form.assemble(prepared, signer.sign(key.name, prepared.payload, prepared.hash))
    form.check(output, artifact, key, context)
    held.output(form.output_name(f"{name}.{key.name}"), output)
    return True


def _vouch(held: Held, signer: TokenSigner, by: KeyRecord, key: KeyRecord) -> None:
    prepared = prepare_vouching(by, key, check_certificate(key.openpgp, key).user_id, at=held.at)
    certificate = assemble_vouching(key.openpgp, prepared, signer.sign(by.name, prepared.payload, prepared.hash))
    check_vouching(certificate, key, by)
    held.output(f"{key.name}-vouched-by-{by.name}.asc", certificate.encode())


def _vouch_v6(held: Held, signer: TokenSigner, by: KeyRecord, key: KeyRecord) -> None:
    user_id, salt = check_v6_certificate(key.openpgp_v6, key).user_id, secrets.token_bytes(SALT_BYTES)
    prepared = prepare_v6_vouching(by, key, user_id, salt, at=held.at)
    raw = signer.sign(by.name, prepared.payload, prepared.hash)
    certificate = assemble_v6_vouching(key.openpgp_v6, prepared, raw)
    check_v6_vouching(certificate, key, by)
    held.output(f"{key.name}-vouched-by-{by.name}.v6.asc", certificate.encode())
