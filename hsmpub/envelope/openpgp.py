"""Headers of OpenPGP messages: the session key packets before the encrypted data. Read and written.

Source: RFC 4880, 4.2 (packet headers), 5.1 (PKESK version 3), 5.13 (integrity protection); tag 20 is gpg's OCB packet.
"""

from __future__ import annotations

from hsmpub.envelope.header import RSA_BYTES, Bytes, Header, Sealed, only_one
from hsmpub.envelope.rules import ArmouredFile, ContentUnprotected, HeaderMalformed
from hsmpub.formats.openpgp.encryption import subkey_fingerprint
from hsmpub.model.key import KeyRecord

PKESK, _SKESK, _PLAIN_ENCRYPTED, _MARKER, _PROTECTED, _OCB = 1, 3, 9, 10, 18, 20
_RSA = (1, 2)
#: Algorithm, key of 16, 24 or 32 bytes, checksum.
SESSION_KEY_BYTES = (19, 27, 35)
_MOST_OF_A_PACKET = 8 * 1024


def read_openpgp_header(data: bytes, key: KeyRecord) -> Header:
    """The header at the beginning of an encrypted message.

    Args:
        data: the file, or as much of it as holds the header and the first bytes of the content.
        key: the decryption key whose part is looked for.

    Raises:
        ArmouredFile, ContentUnprotected, HeaderCut, HeaderMalformed.
    """
    if data.startswith(b"-----BEGIN PGP"):
        raise ArmouredFile("The OpenPGP message is armoured.")
    key_id = subkey_fingerprint(key)[-8:]
    source, sealed, mine = Bytes(data), list[Sealed](), list[int]()
    while True:
        start = source.at
        tag, length = read_packet_head(source)
        if tag in (_PROTECTED, _OCB):
            break
        if tag == _PLAIN_ENCRYPTED:
            raise ContentUnprotected("The OpenPGP message has no integrity protection.")
        if tag not in (PKESK, _SKESK, _MARKER) or length is None or length > _MOST_OF_A_PACKET:
            raise HeaderMalformed("This is no OpenPGP message that is encrypted to keys.")
        body = source.take(length)
        if tag == PKESK:
            who, found = _read_session_key(body)
            if who == key_id:
                mine.append(len(sealed))
            sealed.append(found)
        elif tag == _SKESK:
            sealed.append(Sealed("a passphrase"))
    if not sealed:
        raise HeaderMalformed("The OpenPGP message names nobody whom it is encrypted to.")
    return Header("openpgp", data[:start], tuple(sealed), only_one(tuple(sealed), mine), SESSION_KEY_BYTES)


def is_checksum_right(session_key: bytearray) -> bool:
    """Of a decrypted session key: algorithm, key, sum of the key's bytes. Source: RFC 4880, 5.1."""
    return sum(session_key[1:-2]) & 0xFFFF == int.from_bytes(session_key[-2:], "big")


def read_packet_head(source: Bytes) -> tuple[int, int | None]:
    """Tag and length of the next packet; None: its length is not known beforehand.

    Raises:
        HeaderCut, HeaderMalformed.
    """
    first = source.number(1)
    if first & 0xC0 == 0xC0:
        return first & 0x3F, _new_length(source)
    if first & 0x80:
        kind = first & 3
        return first >> 2 & 0xF, None if kind == 3 else source.number(1 << kind)
    raise HeaderMalformed("This is no OpenPGP message.")


def _new_length(source: Bytes) -> int | None:
    first = source.number(1)
    if first < 192:
        return first
    if first < 224:
        return (first - 192 << 8) + source.number(1) + 192
    return source.number(4) if first == 255 else None


def _read_session_key(body: bytes) -> tuple[bytes, Sealed]:
    """Key id, and the part itself."""
    if len(body) < 10 or body[0] != 3:
        return b"", Sealed(f"a session key packet of version {body[0] if body else 0}")
    key_id, algorithm = body[1:9], body[9]
    who = f"openpgp key id {key_id.hex().upper()}"
    if algorithm not in _RSA:
        return key_id, Sealed(who)
    bits = int.from_bytes(body[10:12], "big")
    number = body[12:]
    if len(number) != (bits + 7) // 8 or len(number) > 2048:
        raise HeaderMalformed("A session key packet holds a number of another length than it says.")
    return key_id, Sealed(who, "pkcs1", number.rjust(RSA_BYTES, b"\0"))
