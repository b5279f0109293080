"""Authenticode on PE files: Windows programs, libraries and drivers, and UEFI Secure Boot.

The client sends the file's Authenticode digest, 32 bytes; the service builds SpcIndirectDataContent and the attributes.
Source: Microsoft, "Windows Authenticode Portable Executable Signature Format" (2008), appendix.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from hsmpub.formats.cms.chain import load_chain
from hsmpub.formats.cms.der import context, octets, oid, sequence, tlv
from hsmpub.formats.cms.pe import pe_digest, signature_of, with_table
from hsmpub.formats.cms.read import CmsMalformed, ReadSignedData, check_same
from hsmpub.formats.cms.signed_data import SHA256, attribute, prepare_attributes, signed_attributes, signed_data
from hsmpub.formats.format import (
    Artifact,
    Claim,
    Context,
    DetailMalformed,
    OutputForAnother,
    Prepared,
    SignedOnce,
    detail_of,
)
from hsmpub.formats.public_key import check_claim
from hsmpub.formats.purposes import check_may_make
from hsmpub.formats.source import Source
from hsmpub.model.key import KeyKind, KeyRecord

SPC_INDIRECT_DATA = "1.3.6.1.4.1.311.2.1.4"
_SPC_PE_IMAGE_DATA = oid("1.3.6.1.4.1.311.2.1.15")
_SPC_STATEMENT_TYPE = oid("1.3.6.1.4.1.311.2.1.11")
_SPC_INDIVIDUAL = oid("1.3.6.1.4.1.311.2.1.21")
_SPC_OPUS_INFO = oid("1.3.6.1.4.1.311.2.1.12")


class Authenticode(SignedOnce):
    """In the file's certificate table, with RSA-3072 or ECDSA on P-256, SHA-256; a signature there is replaced."""

    name = "authenticode"
    suffix = ".authenticode"
    key_kinds: frozenset[KeyKind] = frozenset({"p256", "rsa3072"})
    bare = False
    embedded = True
    detail_limit = 32

    def recognises(self, name: str, head: bytes) -> bool:
        start = int.from_bytes(head[60:64], "little") if len(head) >= 64 else 0
        return head[:2] == b"MZ" and head[start : start + 4] == b"PE\0\0"

    def extract(self, source: Source) -> bytes:
        return pe_digest(source)

    def prepare(self, artifact: Artifact, key: KeyRecord, context: Context) -> Prepared:
        check_may_make(self, key)
        chain = load_chain(key)
        digest = _digest_of(artifact, self)
        content = indirect_data(digest)
        attributes = signed_attributes(
            oid(SPC_INDIRECT_DATA),
            hashlib.sha256(_contents(content)).digest(),
            context.at,
            chain,
            attribute(_SPC_STATEMENT_TYPE, sequence(_SPC_INDIVIDUAL)),
            attribute(_SPC_OPUS_INFO, sequence()),
        )
        return prepare_attributes(attributes, key.kind, chain, oid(SPC_INDIRECT_DATA) + _explicit(content))

    def assemble(self, prepared: Prepared, signature: bytes) -> bytes:
        return signed_data(prepared, signature)

    def read(self, output: bytes, artifact: Artifact, key: KeyRecord, context: Context | None = None) -> Claim:
        found = ReadSignedData(output, load_chain(key), key.kind)
        if found.content_type != SPC_INDIRECT_DATA or set(found.attributes) != _ATTRIBUTES:
            raise CmsMalformed("The signature is not one of Authenticode as the service makes it.")
        # the digest ends a constant: everything before it is fixed
        head, digest = found.content[: len(_HEAD)], found.content[len(_HEAD) :]
        if head != _HEAD or digest != _digest_of(artifact, self):
            raise OutputForAnother("The signature is over another program.")
        if any(found.attributes[name] != value for name, value in _FIXED.items()):
            raise CmsMalformed("An attribute of the signature is not as the service makes it.")
        # the tags of [0] and SEQUENCE and their lengths, two bytes each, are not hashed
        check_same(found, hashlib.sha256(found.content[4:]).digest(), context.at if context else None)
        return found.claim

    def check(self, output: bytes, artifact: Artifact, key: KeyRecord, context: Context | None = None) -> None:
        check_claim(self.read(output, artifact, key, context), key)

    def attach(self, source: Source, output: bytes) -> Iterator[bytes]:
        return with_table(source, output)

    def detach(self, source: Source) -> bytes | None:
        return signature_of(source)


def indirect_data(digest: bytes) -> bytes:
    """SpcIndirectDataContent of a PE image: kind of file, then DigestInfo, which ends it."""
    file = context(2, context(0, constructed=False))  # SpcLink, file, an empty SpcString
    image = sequence(tlv(0x03, b"\0"), context(0, file))
    return sequence(sequence(_SPC_PE_IMAGE_DATA, image), sequence(SHA256, octets(digest)))


def _explicit(content: bytes) -> bytes:
    return context(0, content)


def _contents(content: bytes) -> bytes:
    """A SEQUENCE without tag and length: what PKCS #7 hashes of an encapsulated content."""
    return content[2:] if content[1] < 0x80 else content[3:]


def _digest_of(artifact: Artifact, form: Authenticode) -> bytes:
    detail = detail_of(artifact, form)
    if len(detail) != 32:
        raise DetailMalformed("An Authenticode digest has 32 bytes.")
    return detail


_HEAD = _explicit(indirect_data(bytes(32)))[:-32]
_FIXED = {"1.3.6.1.4.1.311.2.1.12": sequence(), "1.3.6.1.4.1.311.2.1.11": sequence(_SPC_INDIVIDUAL)}
_ATTRIBUTES = {"content_type", "message_digest", "signing_time", "signing_certificate_v2", *_FIXED}
