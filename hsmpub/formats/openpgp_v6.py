"""OpenPGP version 6 (RFC 9580): certificate and detached signature. Not a format of the registry yet.

    salts = (secrets.token_bytes(16), secrets.token_bytes(16))
    direct, named = prepare_v6_certificate(key, "Acme releases <…>", salts, at=…)
    armored = assemble_v6_certificate((direct, hsm.sign(…)), (named, hsm.sign(…)))

    salt = secrets.token_bytes(16)                               # before anything is hashed
    prepared = prepare_v6_signature(Sha256State.of(salt + file), salt, key, at=…)
    armored = assemble_v6_signature(prepared, hsm.sign(…))

Version 6 hashes a random salt before the document. A client that keeps its file must therefore know the salt before it
begins, and the signer must have chosen it: one call more than signing has today. Derived from the file, as would
need no call, the salt would not be the signer's choice, which is what it is for. Until there is that call, no format
makes these.
Source: RFC 9580, 5.2.3, 5.2.4, 5.5.2.3, 5.5.4.3, 6.2.1, 10.1.1.
"""

from __future__ import annotations

import hashlib

from hsmpub.errors import Invalid
from hsmpub.formats import openpgp_packet as p
from hsmpub.formats.format import Prepared, check_raw
from hsmpub.formats.openpgp_certificate import CERTIFY_AND_SIGN, check_user_id
from hsmpub.formats.openpgp_key import algorithm, key_body
from hsmpub.formats.openpgp_signature import BINARY_DOCUMENT, DIRECT_KEY, POSITIVE_CERTIFICATION
from hsmpub.formats.sha256state import FileHash
from hsmpub.model.key import KeyRecord

#: For SHA-256.
SALT_BYTES = 16
_PREFERENCES = p.subpacket(p.PREFERRED_HASHES, bytes((8, 10)))


class SaltMalformed(Invalid):
    advice = f"Choose {SALT_BYTES} random bytes for each signature."


def v6_key_body(key: KeyRecord) -> bytes:
    """Body of the public-key packet. Raises KeyKindUnfit."""
    older = key_body(key)  # version, time, algorithm, numbers
    return b"\x06" + older[1:6] + len(older[6:]).to_bytes(4, "big") + older[6:]


def v6_fingerprint(key: KeyRecord) -> bytes:
    """Raw, 32 bytes; its first 8 are the key id."""
    return hashlib.sha256(_framed_key(key)).digest()


def prepare_v6_certificate(
    key: KeyRecord, user_id: str, salts: tuple[bytes, bytes], *, at: int, lifetime: int = 0
) -> tuple[Prepared, Prepared]:
    """What the HSM signs: what the key is for, and what it is called.

    Args:
        at: time of both signatures, seconds since 1970; lifetime: seconds after the key's creation, 0: no end.

    Raises:
        UserIdMalformed, KeyKindUnfit, SaltMalformed.
    """
    check_user_id(user_id)
    name = user_id.encode()
    ends = p.subpacket(p.KEY_EXPIRATION, lifetime.to_bytes(4, "big")) if lifetime else b""
    use = p.subpacket(p.KEY_FLAGS, CERTIFY_AND_SIGN) + _PREFERENCES + ends
    direct, called = _head(key, DIRECT_KEY, at, use), _head(key, POSITIVE_CERTIFICATION, at)
    named = b"\xb4" + len(name).to_bytes(4, "big") + name
    return (
        _prepared(hashlib.sha256(_checked(salts[0]) + _framed_key(key) + _trailer(direct)).digest(), direct, salts[0],
                  key, p.packet(p.PUBLIC_KEY_TAG, v6_key_body(key))),
        _prepared(hashlib.sha256(_checked(salts[1]) + _framed_key(key) + named + _trailer(called)).digest(), called,
                  salts[1], key, p.packet(p.USER_ID_TAG, name)),
    )  # fmt: skip


def assemble_v6_certificate(direct: tuple[Prepared, bytes], named: tuple[Prepared, bytes]) -> str:
    """The armoured certificate, of what was prepared and the signatures over it. Raises RawSignatureMalformed."""
    parts = b"".join(prepared.parts[2] + _packet(prepared, raw) for prepared, raw in (direct, named))
    return p.armor("PUBLIC KEY BLOCK", parts, checksum=False).decode()


def prepare_v6_signature(salted: FileHash, salt: bytes, key: KeyRecord, *, at: int) -> Prepared:
    """What the HSM signs for a document. salted: the hash of salt and document.

    Raises:
        KeyKindUnfit, SaltMalformed.
    """
    head = _head(key, BINARY_DOCUMENT, at)
    return _prepared(salted.with_suffix(_trailer(head)).digest(), head, _checked(salt), key)


def assemble_v6_signature(prepared: Prepared, signature: bytes) -> bytes:
    """The armoured signature. Raises RawSignatureMalformed."""
    return p.armor("SIGNATURE", _packet(prepared, signature), checksum=False)


def _head(key: KeyRecord, kind: int, at: int, more: bytes = b"") -> bytes:
    issuer = p.subpacket(p.ISSUER_FINGERPRINT, b"\x06" + v6_fingerprint(key))
    hashed = issuer + p.subpacket(p.CREATION_TIME, at.to_bytes(4, "big")) + more
    return bytes((6, kind, algorithm(key), p.SHA256)) + len(hashed).to_bytes(4, "big") + hashed


def _trailer(head: bytes) -> bytes:
    return head + b"\x06\xff" + len(head).to_bytes(4, "big")


def _prepared(digest: bytes, head: bytes, salt: bytes, key: KeyRecord, before: bytes = b"") -> Prepared:
    return Prepared(digest, "sha256", key.kind, (head, salt, before))


def _packet(prepared: Prepared, signature: bytes) -> bytes:
    check_raw(prepared, signature)
    head, salt, _ = prepared.parts
    halves = (signature,) if prepared.kind == "rsa3072" else (signature[:32], signature[32:])
    numbers = b"".join([p.mpi(number) for number in halves])
    salted = bytes((len(salt),)) + salt
    return p.packet(p.SIGNATURE_TAG, head + bytes(4) + prepared.payload[:2] + salted + numbers)


def _framed_key(key: KeyRecord) -> bytes:
    body = v6_key_body(key)
    return b"\x9b" + len(body).to_bytes(4, "big") + body


def _checked(salt: bytes) -> bytes:
    if len(salt) != SALT_BYTES:
        raise SaltMalformed(f"A salt for SHA-256 has {SALT_BYTES} bytes, not {len(salt)}.")
    return salt
