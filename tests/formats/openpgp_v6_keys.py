"""OpenPGP certificates of version 6 of the keys in software, and the two verifiers that know version 6."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from openpgp_keys import USER_ID
from software_hsm import CREATED_AT, SALT, key_record, sign_raw

from hsmpub.formats.openpgp.v6_certificate import assemble_v6_certificate, prepare_v6_certificate
from hsmpub.model.key import KeyRecord
from tests.npm import node

OTHER_SALT = bytes(range(16, 32))


def key_of(kind: Any, number: int = 0, form: str = "openpgp-v6") -> KeyRecord:
    return key_record(kind, form, number=number)


def certificate_of(kind: Any, number: int = 0, **how: int) -> str:
    key = key_of(kind, number)
    prepared = prepare_v6_certificate(key, USER_ID, (SALT, OTHER_SALT), at=CREATED_AT, **how)
    return assemble_v6_certificate(key, prepared, (sign_raw(prepared[0], number), sign_raw(prepared[1], number)))


def openpgp_js(
    data: bytes, signature: bytes | None, certificate: str, revocation: str = "", by: str = ""
) -> dict[str, Any]:
    """signature: None for a text that carries its own."""
    asked = {"certificate": certificate, "revocation": revocation, "by": by}
    if signature is None:
        asked["text"] = data.decode()
    else:
        asked |= {"data": base64.b64encode(data).decode(), "signature": signature.decode()}
    done = node("openpgp.cjs", stdin=json.dumps(asked).encode())
    assert done.returncode == 0, done.stderr.decode()
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def sequoia_verifies(data: bytes, signature: bytes | None, certificate: str, revocation: str = "") -> bool:
    """Likewise. The test is skipped where Sequoia's library is not installed."""
    sequoia = pytest.importorskip("pysequoia")
    known = sequoia.Cert.from_bytes(certificate.encode())
    if revocation:
        known = known.merge(sequoia.Cert.from_bytes(revocation.encode()))
    apart = {} if signature is None else {"signature": sequoia.Sig.from_bytes(signature)}
    try:
        found = sequoia.verify(bytes=data, store=lambda _: [known], **apart)
    except RuntimeError:
        return False
    return len(found.valid_sigs) == 1
