"""Android packages, signature schemes 2 and 3: two signatures over one digest of the package, in its signing block.

The client sends that digest, 32 bytes; the service builds what each scheme signs. A package for Android before 7 (API
24) needs scheme 1, which is the `jar` format's and is not made here.
Source: Android Open Source Project, "APK signature scheme v2" and "v3".
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hsmpub.formats.cms.chain import load_chain
from hsmpub.formats.context import Context
from hsmpub.formats.der_signature import ecdsa_der
from hsmpub.formats.detail import DetailMalformed, detail_of
from hsmpub.formats.format import SIGNATURE_BYTES, Artifact, Claim, Prepared, check_raw
from hsmpub.formats.public_key import load_public
from hsmpub.formats.purposes import check_may_make
from hsmpub.formats.source import Source
from hsmpub.formats.spliced import Part, Spliced
from hsmpub.formats.zip.apk_block import apk_digest, block_of, signing_block, with_block
from hsmpub.formats.zip.apk_read import Expected, read_block
from hsmpub.model.key import KeyKind, KeyRecord

V2, V3 = 0x7109871A, 0xF05368C0
#: RSA PKCS #1 v1.5 and ECDSA, both with SHA-256 over chunks of a mebibyte.
ALGORITHMS: dict[KeyKind, int] = {"rsa3072": 0x0103, "p256": 0x0201}
#: Says in scheme 2 that scheme 3 was there, so that nobody takes it away.
_STRIPPING, _SCHEME_3 = 0xBEEFF00D, 3
#: Scheme 3 is for Android 9 and every later one.
_SDKS = (28).to_bytes(4, "little") + (0x7FFFFFFF).to_bytes(4, "little")


class Apk(Spliced):
    """In the package's signing block, RSA-3072 or ECDSA on P-256; a block that is there is replaced as a whole."""

    name = "apk"
    suffix = ".apk.sigblock"
    key_kinds: frozenset[KeyKind] = frozenset({"p256", "rsa3072"})
    embedded = True
    detail_limit = 32

    def recognises(self, name: str, head: bytes) -> bool:
        return head[:4] == b"PK\x03\x04" and name.lower().endswith(".apk")

    def extract(self, source: Source) -> bytes:
        return apk_digest(source)

    def prepare(self, artifact: Artifact, key: KeyRecord, context: Context) -> Prepared:
        check_may_make(self, key)
        common = _sized(_sized(_number(ALGORITHMS[key.kind]) + _sized(_digest_of(artifact, self))))
        common += _sized(_sized(load_chain(key).ders[0]))
        second = common + _sized(_sized(_number(_STRIPPING) + _number(_SCHEME_3)))
        third = common + _SDKS + _sized(b"")
        payload = hashlib.sha256(second).digest() + hashlib.sha256(third).digest()
        return Prepared(payload, "sha256", key.kind, (second, third, _public(key)), count=2)

    def assemble(self, prepared: Prepared, signature: bytes) -> bytes:
        check_raw(prepared, signature)
        size = SIGNATURE_BYTES[prepared.kind]
        values = {}
        for scheme, signed, raw in zip((V2, V3), prepared.parts, (signature[:size], signature[size:]), strict=False):
            der = ecdsa_der(raw) if prepared.kind == "p256" else raw
            signer = _sized(signed) + (_SDKS if scheme == V3 else b"")
            signer += _sized(_sized(_number(ALGORITHMS[prepared.kind]) + _sized(der))) + _sized(prepared.parts[2])
            values[scheme] = _sized(_sized(signer))
        return signing_block(values)

    def read(self, output: bytes, artifact: Artifact, key: KeyRecord, context: Context | None = None) -> Claim:
        digest, certificate = _digest_of(artifact, self), load_chain(key).ders[0]
        return read_block(output, Expected(digest, certificate, _public(key), key.kind))

    def splice(self, source: Source, output: bytes) -> Iterator[Part]:
        return with_block(source, output)

    def detach(self, source: Source) -> bytes | None:
        return block_of(source)


def _public(key: KeyRecord) -> bytes:
    return load_public(key).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _digest_of(artifact: Artifact, form: Apk) -> bytes:
    detail = detail_of(artifact, form)
    if len(detail) != 32:
        raise DetailMalformed("The digest of a package has 32 bytes.")
    return detail


def _number(value: int) -> bytes:
    return value.to_bytes(4, "little")


def _sized(data: bytes) -> bytes:
    return _number(len(data)) + data
