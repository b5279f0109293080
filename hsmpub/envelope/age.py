"""Headers of age files, read and written.

Source: C2SP age.md, "Header" and "Header MAC"; "ssh-rsa" and "ssh-ed25519" as in filippo.io/age/agessh.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hsmpub.envelope.header import Header, HeaderCut, Sealed, only_one
from hsmpub.envelope.rules import ArmouredFile, HeaderMalformed
from hsmpub.formats.public_key import load_encryption_key
from hsmpub.model.key import KeyRecord

MAGIC = b"age-encryption.org/v1\n"
ARMOUR = b"-----BEGIN AGE ENCRYPTED FILE-----"
OAEP_LABEL = b"age-encryption.org/v1/ssh-rsa"
FILE_KEY_BYTES = 16
_LINE = 64
_MAC = re.compile(rb"--- [A-Za-z0-9+/]{43}")
_STANZA = re.compile(rb"->(?: [\x21-\x7e]+)+")


def read_age_header(data: bytes, key: KeyRecord) -> Header:
    """The header at the beginning of an age file.

    Args:
        data: the file, or as much of it as holds the header.
        key: the decryption key whose part is looked for.

    Raises:
        ArmouredFile, HeaderCut, HeaderMalformed.
    """
    if data.startswith(ARMOUR):
        raise ArmouredFile("The age file is armoured.")
    if not data.startswith(MAGIC):
        raise HeaderMalformed("This is no age file of version 1.")
    at, sealed, mine = len(MAGIC), list[Sealed](), list[int]()
    while True:
        line, at = _next_line(data, at)
        if line.startswith(b"---"):
            break
        if not _STANZA.fullmatch(line):
            raise HeaderMalformed("A line of the age header is no stanza.")
        words = line.decode("ascii").split(" ")[1:]
        body, at = _read_body(data, at)
        if words == ["ssh-rsa", ssh_tag(key)]:
            mine.append(len(sealed))
        padded = words[0] == "ssh-rsa"
        sealed.append(Sealed(" ".join(words)[:120], "oaep-sha256" if padded else "", body if padded else b""))
    if not _MAC.fullmatch(line) or not sealed:
        raise HeaderMalformed("The age header has no proper end.")
    return Header("age", data[:at], tuple(sealed), only_one(tuple(sealed), mine), (FILE_KEY_BYTES,))


def is_age_mac_right(header: Header, file_key: bytearray) -> bool:
    """Whether the header was written by somebody who knew the file key."""
    signed, _, given = header.raw.rpartition(b"--- ")
    return hmac.compare_digest(header_mac(signed + b"---", file_key), given.rstrip(b"\n"))


def write_age_header(stanza: bytes, file_key: bytearray) -> bytes:
    """A header of one stanza, with its code."""
    head = MAGIC + stanza + b"---"
    return head + b" " + header_mac(head, file_key) + b"\n"


def write_stanza(words: list[str], body: bytes) -> bytes:
    """A stanza; the last line of its body is always a short one."""
    text = unpadded(body)
    lines = [text[i : i + _LINE] for i in range(0, len(text) + 1, _LINE)]
    return b"-> %b\n%b\n" % (" ".join(words).encode(), b"\n".join(lines))


def header_mac(signed: bytes, file_key: bytearray) -> bytes:
    """HMAC-SHA256 over the header up to and with `---`, in base64."""
    key = bytearray(32)
    HKDF(SHA256(), 32, salt=None, info=b"header").derive_into(file_key, key)
    return unpadded(hmac.digest(key, signed, "sha256"))


def ssh_tag(key: KeyRecord) -> str:
    """By which a stanza names an SSH key."""
    line = load_encryption_key(key).public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return tag_of(binascii.a2b_base64(line.split()[1]))


def tag_of(blob: bytes) -> str:
    """blob: an SSH public key in its wire encoding."""
    return unpadded(hashlib.sha256(blob).digest()[:4]).decode()


def unpadded(data: bytes) -> bytes:
    return base64.b64encode(data).rstrip(b"=")


def _next_line(data: bytes, at: int) -> tuple[bytes, int]:
    end = data.find(b"\n", at)
    if end < 0:
        raise HeaderCut("The age header does not end.")
    return data[at:end], end + 1


def _read_body(data: bytes, at: int) -> tuple[bytes, int]:
    """Lines of 64 characters up to a shorter one."""
    text = b""
    while True:
        line, at = _next_line(data, at)
        text += line
        if len(line) > _LINE:
            raise HeaderMalformed("A line of the age header is too long.")
        if len(line) < _LINE:
            break
    try:
        body = binascii.a2b_base64(text + b"=" * (-len(text) % 4), strict_mode=True) if text else b""
    except binascii.Error:
        raise HeaderMalformed("A stanza of the age header is not base64.") from None
    if unpadded(body) != text:
        raise HeaderMalformed("A stanza of the age header is spelled in an unusual way.")
    return body, at
