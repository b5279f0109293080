"""Catalogues (`.cat`): a list of files by digest (CTL), which inf2cat and makecat write, in a signed message.

The client sends the list itself. The service takes it apart, refuses what is no catalogue of SHA-256 digests, and signs
these very bytes, under the content type of such lists. What it gives away is the signature without the list, which the
client puts back between. Source: Microsoft, [MS-CAESO] (CTL), the catalogue's object identifiers in mscat.h.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from hsmpub.formats.cms.chain import load_chain
from hsmpub.formats.cms.der import context, oid, sequence
from hsmpub.formats.cms.der_check import MAX_BYTES, check_der, contents, members
from hsmpub.formats.cms.indirect_data import Windows, check_attributes, prepare_content
from hsmpub.formats.cms.read import CmsMalformed, ReadSignedData, check_same
from hsmpub.formats.cms.signed_data import SIGNED_DATA
from hsmpub.formats.context import Context
from hsmpub.formats.detail import detail_of
from hsmpub.formats.format import Artifact, Claim, Prepared
from hsmpub.formats.purposes import check_may_make
from hsmpub.formats.source import Source
from hsmpub.formats.windows.catalogue import CatalogueMalformed, check_catalogue
from hsmpub.model.key import KeyRecord

CTL = "1.3.6.1.4.1.311.10.1"


class Cat(Windows):
    """In the catalogue, with RSA-3072 or ECDSA on P-256, SHA-256; signatures there are replaced."""

    name = "cat"
    suffix = ".cat.p7"
    #: Some 500 files.
    detail_limit = 128 << 10

    def recognises(self, name: str, head: bytes) -> bool:
        return head[:1] == b"\x30" and SIGNED_DATA in head[:24] and oid(CTL) in head[:128]

    def extract(self, source: Source) -> bytes:
        """The list, a SEQUENCE in DER."""
        found = _opened(source)[0]
        check_catalogue(found, self.detail_limit)
        return found

    def prepare(self, artifact: Artifact, key: KeyRecord, context: Context) -> Prepared:
        check_may_make(self, key)
        return prepare_content(CTL, self._list(artifact), key, context, keep=False)

    def read(self, output: bytes, artifact: Artifact, key: KeyRecord, context: Context | None = None) -> Claim:
        found = ReadSignedData(output, load_chain(key), key.kind)
        check_attributes(found, CTL)
        if found.content:
            raise CmsMalformed("The signature holds a list that it should leave to the catalogue.")
        check_same(found, hashlib.sha256(contents(self._list(artifact))).digest(), context.at if context else None)
        return found.claim

    def attach(self, source: Source, output: bytes) -> Iterator[bytes]:
        yield _with_content(output, context(0, _opened(source)[0]))

    def held(self, source: Source) -> bytes | None:
        _, signers, whole = _opened(source)
        return _with_content(whole, b"") if signers else None

    def _list(self, artifact: Artifact) -> bytes:
        detail = detail_of(artifact, self)
        check_catalogue(detail, self.detail_limit)
        return detail


def _opened(source: Source) -> tuple[bytes, bool, bytes]:
    """The list, whether anybody signed it, and the whole. Raises CatalogueMalformed."""
    try:
        whole = source.read(0, min(source.size, MAX_BYTES + 1))
        check_der(whole)
        kind, explicit = members(contents(whole))
        [signed] = members(contents(explicit))
        _, _, encapsulated, *_, signers = members(contents(signed))
        content_type, content = members(contents(encapsulated))
        [found] = members(contents(content))
        fits = kind == SIGNED_DATA and content_type == oid(CTL) and content[0] == 0xA0 and signers[0] == 0x31
    except ValueError:
        fits = False
    if not fits:
        raise CatalogueMalformed("This is no catalogue: no list of files in a PKCS #7 message, in DER.")
    return found, bool(contents(signers)), whole


def _with_content(signature: bytes, content: bytes) -> bytes:
    """A SignedData with this content in place of its own; empty: with none. Raises CmsMalformed."""
    try:
        check_der(signature)
        kind, explicit = members(contents(signature))
        version, algorithms, encapsulated, *rest = members(contents(contents(explicit)))
        inner = sequence(members(contents(encapsulated))[0], content)
    except (ValueError, IndexError):
        raise CmsMalformed("This is no CMS signature that the service could have made.") from None
    return sequence(kind, context(0, sequence(version, algorithms, inner, *rest)))
