"""Timestamps in CMS signatures: an unsigned attribute of the only signer, put in and taken out again byte for byte.

What the service logs has none: a timestamp comes afterwards, on the client, over the signature value. Whoever compares
with the log takes it out first; what is then left is the very output.
Source: RFC 3161, appendix A; RFC 5652, section 5.3; for Authenticode, Microsoft's szOID_RFC3161_counterSign.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import NamedTuple

from hsmpub.formats.base import FormatBase
from hsmpub.formats.cms.der import context, oid, sequence, set_of, tlv
from hsmpub.formats.cms.der_check import check_der, contents, members
from hsmpub.formats.cms.read import CmsMalformed
from hsmpub.formats.source import Source

_SIGNATURE_TIME_STAMP = oid("1.2.840.113549.1.9.16.2.14")
_MICROSOFT = oid("1.3.6.1.4.1.311.3.3.1")
#: The attribute's type, by format: these can hold a timestamp.
STAMPED: dict[str, bytes] = {
    "cms": _SIGNATURE_TIME_STAMP,
    "jar": _SIGNATURE_TIME_STAMP,
    "pdf": _SIGNATURE_TIME_STAMP,
    "authenticode": _MICROSOFT,
    "msi": _MICROSOFT,
    "cab": _MICROSOFT,
    "cat": _MICROSOFT,
}
_UNSIGNED, _OCTETS = 0xA1, 0x04


class _Opened(NamedTuple):
    """The parts of a SignedData down to its only signer, each as DER."""

    kind: bytes
    before: list[bytes]
    signer: list[bytes]


class Stamped(FormatBase):
    """A format whose output can hold a timestamp; what it detaches is the output as it was logged, without."""

    name: str

    @abstractmethod
    def held(self, source: Source) -> bytes | None:
        """The signature that a file holds, as it is there."""

    def detach(self, source: Source) -> bytes | None:
        held = self.held(source)
        return None if held is None else without_timestamp(held, self.name)[0]

    def timestamp(self, source: Source) -> bytes | None:
        """The timestamp token in a file's signature; None: there is none."""
        held = self.held(source)
        return None if held is None else without_timestamp(held, self.name)[1]


def signature_value(output: bytes) -> bytes:
    """What a timestamp is over. Raises CmsMalformed."""
    return contents(_signature(_opened(output).signer))


def with_timestamp(output: bytes, token: bytes, format_name: str) -> bytes:
    """The output with this token in it; one that is there is replaced. Raises CmsMalformed."""
    opened = _opened(without_timestamp(output, format_name)[0])
    attribute = sequence(STAMPED[format_name], set_of(token))
    return _closed(opened, [*opened.signer, context(_UNSIGNED & 0x1F, attribute)])


def without_timestamp(output: bytes, format_name: str) -> tuple[bytes, bytes | None]:
    """The output as it was logged, and the token that was in it; what holds none, or more, is given back as it is."""
    try:
        opened = _opened(output)
        if opened.signer[-1][0] != _UNSIGNED:
            return output, None
        [attribute] = members(contents(opened.signer[-1]))
        kind, values = members(contents(attribute))
        [token] = members(contents(values))
        if kind != STAMPED[format_name] or _closed(opened, [*opened.signer[:-1], tlv(_UNSIGNED, attribute)]) != output:
            return output, None
    except (CmsMalformed, ValueError, IndexError):
        return output, None
    return _closed(opened, opened.signer[:-1]), token


def _opened(output: bytes) -> _Opened:
    """Raises CmsMalformed."""
    try:
        check_der(output)
        kind, explicit = members(contents(output))
        *before, signers = members(contents(contents(explicit)))
        [signer] = members(contents(signers))
        opened = _Opened(kind, before, members(contents(signer)))
        _signature(opened.signer)
    except (ValueError, IndexError):
        raise CmsMalformed("This is no CMS signature that the service could have made.") from None
    return opened


def _closed(opened: _Opened, signer: list[bytes]) -> bytes:
    signed = sequence(*opened.before, tlv(0x31, sequence(*signer)))
    return sequence(opened.kind, context(0, signed))


def _signature(signer: list[bytes]) -> bytes:
    """The signature value, DER. Raises ValueError."""
    found = signer[-2] if signer[-1][0] == _UNSIGNED else signer[-1]
    if found[0] != _OCTETS:
        raise ValueError("no signature")
    return found
