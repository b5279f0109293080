"""Reads a TUF signature object apart from what writes it."""

from __future__ import annotations

import hashlib
import re

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hsmpub.formats.compact_json import members, read_json
from hsmpub.formats.der_read import read_bare
from hsmpub.formats.format import Claim, OutputForAnother, OutputMalformed
from hsmpub.formats.public_key import load_public
from hsmpub.model.key import KeyRecord


class TufSignatureMalformed(OutputMalformed):
    pass


class TufSignatureForAnother(OutputForAnother):
    pass


def read_signature(output: bytes, payload: bytes, key: KeyRecord) -> Claim:
    """What `{"keyid": …, "sig": …}` claims about the metadata.

    Raises:
        TufSignatureMalformed, TufSignatureForAnother.
    """
    value = members(read_json(output, TufSignatureMalformed), {"keyid", "sig"}, TufSignatureMalformed)
    sig = value["sig"]
    if not isinstance(sig, str) or not re.fullmatch(r"([0-9a-f]{2})+", sig):
        raise TufSignatureMalformed("The signature is not in lower-case hex.")
    if value["keyid"] != _id(key):
        raise TufSignatureForAnother(f"The signature names another key than {key.name!r}.")
    raw = bytes.fromhex(sig)
    if key.kind == "p256":
        return Claim(hashlib.sha256(payload).digest(), "sha256", read_bare(raw, key.kind, TufSignatureMalformed))
    if len(raw) != 64:
        raise TufSignatureMalformed(f"An Ed25519 signature has 64 bytes, not {len(raw)}.")
    return Claim(payload, "none", raw)


def _id(key: KeyRecord) -> str:
    public = load_public(key)
    if key.kind == "ed25519":
        kind, scheme, text = "ed25519", "ed25519", public.public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
    else:
        kind, scheme = "ecdsa", "ecdsa-sha2-nistp256"
        text = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    spelled = f'{{"keytype":"{kind}","keyval":{{"public":"{text}"}},"scheme":"{scheme}"}}'
    return hashlib.sha256(spelled.encode()).hexdigest()
