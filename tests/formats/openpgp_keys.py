"""OpenPGP certificates of the keys in software."""

from __future__ import annotations

from software_hsm import CREATED_AT, key_record, sign_raw

from hsmpub.formats.openpgp.certificate import assemble_certificate, prepare_certificate

USER_ID = "Acme releases <releases@acme.example>"


def certificate_of(kind, number=0, **how) -> str:
    prepared = prepare_certificate(key_record(kind, number=number), USER_ID, at=CREATED_AT, **how)
    return assemble_certificate(prepared, sign_raw(prepared, number))
