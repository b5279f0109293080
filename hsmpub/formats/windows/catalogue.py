"""Is this list of files one that a catalogue may hold?

Source: Microsoft, CertificateTrustList as wincrypt.h and mscat.h describe it; [RFC 2315] for its neighbours.
"""

from __future__ import annotations

from hsmpub.errors import Invalid
from hsmpub.formats.cms.der import NULL, oid, sequence
from hsmpub.formats.cms.der_check import check_der, contents, members
from hsmpub.formats.cms.signed_data import SHA256

_LIST = sequence(oid("1.3.6.1.4.1.311.12.1.1"))
#: Version 2 of catalogues: digests in it are SHA-256. Version 1 had SHA-1.
_MEMBERS = (sequence(oid("1.3.6.1.4.1.311.12.1.3"), NULL), sequence(oid("1.3.6.1.4.1.311.12.1.3")))
_OLD = oid("1.3.6.1.4.1.311.12.1.2")
_INDIRECT_DATA = oid("1.3.6.1.4.1.311.2.1.4")
_SEQUENCE, _SET, _OCTETS, _EXTENSIONS = 0x30, 0x31, 0x04, 0xA0
_TIMES = (0x17, 0x18)


class CatalogueMalformed(Invalid):
    advice = "Make the catalogue anew with 'inf2cat' or 'makecat' (CatalogVersion=2, HashAlgorithms=SHA256)."


class CatalogueTooLarge(CatalogueMalformed):
    advice = "Split the catalogue: each may list some 500 files."


class CatalogueDigestsWeak(CatalogueMalformed):
    pass


def check_catalogue(data: bytes, limit: int) -> None:
    """The list names files by SHA-256, each with its kind and digest, and says nothing that is not understood here.

    Raises:
        CatalogueMalformed, CatalogueTooLarge, CatalogueDigestsWeak.
    """
    if len(data) > limit:
        raise CatalogueTooLarge(f"The catalogue's list has over {limit:,} bytes.")
    try:
        check_der(data)
        parts = [_tagged(part) for part in members(contents(data))] if data[0] == _SEQUENCE else []
        usage, identifier, *rest = parts
        times = [part for part in rest if part[0] in _TIMES]
        algorithm, files, *extensions = rest[len(times) :]
        fits = (usage[1], identifier[0], files[0]) == (_LIST, _OCTETS, _SEQUENCE) and 1 <= len(times) <= 2
        fits = fits and [tag for tag, _ in extensions] in ([], [_EXTENSIONS])
        weak = _OLD in algorithm[1]
        named = members(contents(files[1]))
    except (ValueError, IndexError):
        fits = weak = False
    if not weak and (not fits or algorithm[1] not in _MEMBERS or not named):
        raise CatalogueMalformed("The list is not one of a catalogue, or names no files.")
    if weak or not all(map(_is_strong, named)):
        raise CatalogueDigestsWeak("The catalogue names files by SHA-1, or by nothing.")


def _tagged(value: bytes) -> tuple[int, bytes]:
    return value[0], value


def _is_strong(member: bytes) -> bool:
    """A file with one digest, SHA-256."""
    try:
        name, attributes = members(contents(member))
        found = [members(contents(one)) for one in members(contents(attributes))]
        [[data]] = [members(contents(values)) for kind, values in found if kind == _INDIRECT_DATA]
        algorithm, digest = members(contents(members(contents(data))[1]))
    except (ValueError, IndexError):
        return False
    shape = (member[0], name[0], attributes[0], digest[0]) == (_SEQUENCE, _OCTETS, _SET, _OCTETS)
    return shape and algorithm == SHA256 and len(contents(digest)) == 32
