"""Reads the service's own minisign and signify outputs, whole and in their one spelling. Builds nothing."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hsmpub.formats.context import Context
from hsmpub.formats.format import Claim, OutputForAnother, OutputMalformed
from hsmpub.formats.public_key import load_public
from hsmpub.model.key import KeyRecord

_MINISIGN = re.compile(
    rb"untrusted comment: signature of the key (?P<key>[^\n]+)\n(?P<first>[A-Za-z0-9+/]{98,99}={0,2})\n"
    rb"trusted comment: (?P<comment>timestamp:(?P<at>\d{1,12})\tfile:(?P<file>[^\t\n]+)\thashed)\n"
    rb"(?P<second>[A-Za-z0-9+/]{86}==)\n"
)
_SIGNIFY = re.compile(rb"untrusted comment: verify with (?P<key>[^\n]+)\.pub\n(?P<first>[A-Za-z0-9+/]{98,99}={0,2})\n")


class MinisignMalformed(OutputMalformed):
    pass


class MinisignForAnother(OutputForAnother):
    pass


class SignifyMalformed(OutputMalformed):
    pass


class SignifyForAnother(OutputForAnother):
    pass


def read_minisign(output: bytes, name: str, digest: bytes, key: KeyRecord, context: Context | None) -> Claim:
    """The claim of both signatures. digest: BLAKE2b-512 of the file.

    Raises:
        MinisignMalformed, MinisignForAnother.
    """
    found = _MINISIGN.fullmatch(output)
    if found is None:
        raise MinisignMalformed("This is not one minisign signature as the service writes it.")
    first = _signature(found["first"], b"ED", found["key"], key, MinisignMalformed, MinisignForAnother)
    if found["file"] != name.encode():
        raise MinisignForAnother("The trusted comment names another file.")
    if context is not None and found["at"] != str(context.at).encode():
        raise MinisignForAnother("The trusted comment has another time.")
    second = _decode(found["second"], MinisignMalformed)
    return Claim(first + found["comment"], "none", second, Claim(digest, "none", first))


def read_signify(output: bytes, message: bytes, key: KeyRecord) -> Claim:
    """The claim. message: the file itself.

    Raises:
        SignifyMalformed, SignifyForAnother.
    """
    found = _SIGNIFY.fullmatch(output)
    if found is None:
        raise SignifyMalformed("This is not one signify signature as the service writes it.")
    signature = _signature(found["first"], b"Ed", found["key"], key, SignifyMalformed, SignifyForAnother)
    return Claim(message, "none", signature)


def _signature(
    line: bytes, letters: bytes, name: bytes, key: KeyRecord,
    malformed: type[OutputMalformed], another: type[OutputForAnother],
) -> bytes:  # fmt: skip
    data = _decode(line, malformed)
    if len(data) != 74 or data[:2] != letters:
        raise malformed("The signature is of another length or algorithm.")
    raw = load_public(key).public_bytes(Encoding.Raw, PublicFormat.Raw)
    if name != key.name.encode() or data[2:10] != hashlib.sha256(raw).digest()[:8]:
        raise another(f"The signature does not name the key {key.name!r}.")
    return data[10:]


def _decode(text: bytes, malformed: type[OutputMalformed]) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise malformed("The signature is broken base64.") from None
    if base64.b64encode(data) != text:  # bits beyond the last byte
        raise malformed("The signature is spelled in an unusual way.")
    return data
