"""Authenticode: SpcIndirectDataContent, which says what kind of file it is and gives a digest, in CMS attributes.

The service builds all of it from 32 bytes. Each kind of file names itself before the digest, so no signature for the
one is a signature for another.
Source: Microsoft, "Windows Authenticode Portable Executable Signature Format" (2008), appendix.
"""

from __future__ import annotations

import hashlib

from hsmpub.formats.cms.chain import load_chain
from hsmpub.formats.cms.der import context, octets, oid, sequence
from hsmpub.formats.cms.read import CmsMalformed, ReadSignedData, check_same
from hsmpub.formats.cms.signed_data import SHA256, attribute, prepare_attributes, signed_attributes, signed_data
from hsmpub.formats.cms.stamp import Stamped
from hsmpub.formats.context import Context
from hsmpub.formats.detail import DetailMalformed, detail_of
from hsmpub.formats.format import Artifact, Claim, OutputForAnother, Prepared
from hsmpub.formats.purposes import check_may_make
from hsmpub.model.key import KeyKind, KeyRecord

SPC_INDIRECT_DATA = "1.3.6.1.4.1.311.2.1.4"
_SPC_STATEMENT_TYPE, _SPC_OPUS_INFO = "1.3.6.1.4.1.311.2.1.11", "1.3.6.1.4.1.311.2.1.12"
_INDIVIDUAL = sequence(oid("1.3.6.1.4.1.311.2.1.21"))
#: Attributes beside those of every CMS signature, as they always are.
_FIXED = {_SPC_STATEMENT_TYPE: _INDIVIDUAL, _SPC_OPUS_INFO: sequence()}
ATTRIBUTES = {"content_type", "message_digest", "signing_time", "signing_certificate_v2", *_FIXED}
DIGEST_BYTES = 32


class Windows(Stamped):
    """What the formats for Windows have in common: RSA-3072 or ECDSA on P-256, SHA-256, Authenticode's attributes; a
    signature that is in the file is replaced."""

    name: str
    key_kinds: frozenset[KeyKind] = frozenset({"p256", "rsa3072"})
    embedded = True

    def assemble(self, prepared: Prepared, signature: bytes) -> bytes:
        return signed_data(prepared, signature)


class IndirectData(Windows):
    """Authenticode over a file by a digest of its kind. subject: SpcAttributeTypeAndOptionalValue, DER."""

    subject: bytes
    detail_limit = DIGEST_BYTES

    def prepare(self, artifact: Artifact, key: KeyRecord, context: Context) -> Prepared:
        check_may_make(self, key)
        content = sequence(self.subject, sequence(SHA256, octets(self._digest(artifact))))
        return prepare_content(SPC_INDIRECT_DATA, content, key, context)

    def read(self, output: bytes, artifact: Artifact, key: KeyRecord, context: Context | None = None) -> Claim:
        found = ReadSignedData(output, load_chain(key), key.kind)
        check_attributes(found, SPC_INDIRECT_DATA)
        # the digest ends a constant: everything before it is fixed
        if found.content[:-DIGEST_BYTES] != self._head() or found.content[-DIGEST_BYTES:] != self._digest(artifact):
            raise OutputForAnother("The signature is over another file, or one of another kind.")
        # the tags of [0] and SEQUENCE and their lengths, two bytes each, are not hashed
        check_same(found, hashlib.sha256(found.content[4:]).digest(), context.at if context else None)
        return found.claim

    def _head(self) -> bytes:
        whole = sequence(self.subject, sequence(SHA256, octets(bytes(DIGEST_BYTES))))
        return context(0, whole)[:-DIGEST_BYTES]

    def _digest(self, artifact: Artifact) -> bytes:
        detail = detail_of(artifact, self)
        if len(detail) != DIGEST_BYTES:
            raise DetailMalformed("An Authenticode digest has 32 bytes.")
        return detail


def prepare_content(content_type: str, content: bytes, key: KeyRecord, about: Context, keep: bool = True) -> Prepared:
    """What the HSM signs for a content, a SEQUENCE in DER, under Authenticode's attributes.

    keep: the content is in the output; False: it is added where that is put into the file.
    """
    chain, kind = load_chain(key), oid(content_type)
    fixed = (attribute(oid(name), value) for name, value in _FIXED.items())
    digest = hashlib.sha256(contents_of(content)).digest()
    attributes = signed_attributes(kind, digest, about.at, chain, *fixed)
    return prepare_attributes(attributes, key.kind, chain, kind + context(0, content) if keep else kind)


def check_attributes(found: ReadSignedData, content_type: str) -> None:
    """Raises CmsMalformed unless the signature is of this content type and has Authenticode's attributes."""
    if found.content_type != content_type or set(found.attributes) != ATTRIBUTES:
        raise CmsMalformed("The signature is not one of Authenticode as the service makes it.")
    if any(found.attributes[name] != value for name, value in _FIXED.items()):
        raise CmsMalformed("An attribute of the signature is not as the service makes it.")


def contents_of(content: bytes) -> bytes:
    """A SEQUENCE without tag and length: what PKCS #7 hashes of an encapsulated content."""
    return content[2 + (content[1] & 0x7F if content[1] >= 0x80 else 0) :]
