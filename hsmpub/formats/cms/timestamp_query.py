"""What a program asks a timestamp authority (TimeStampReq), taken apart strictly; each reason to refuse has its code.

Only the hash of what is to be stamped is in it. Source: RFC 3161, sections 2.4.1 and 2.4.2 (PKIFailureInfo).
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from hsmpub.errors import Invalid
from hsmpub.formats.cms.der import NULL, oid
from hsmpub.formats.cms.der_check import check_der, contents, members

MAX_QUERY_BYTES = 4096
_MAX_NONCE_BYTES = 32
_INTEGER, _OCTETS, _OID, _BOOLEAN, _SEQUENCE, _EXTENSIONS = 0x02, 0x04, 0x06, 0x01, 0x30, 0xA0
#: DER of the object identifier → bytes of a digest.
HASHES: dict[bytes, int] = {
    oid("2.16.840.1.101.3.4.2.1"): 32,
    oid("2.16.840.1.101.3.4.2.2"): 48,
    oid("2.16.840.1.101.3.4.2.3"): 64,
}

BAD_ALGORITHM, BAD_REQUEST, BAD_FORMAT = 0, 2, 5
NO_TIME, NO_SUCH_POLICY, NO_SUCH_EXTENSION, SYSTEM_FAILURE = 14, 15, 16, 25


class TimestampQueryRefused(Invalid):
    """Family of what is wrong with a query. failure: the bit of PKIFailureInfo."""

    failure: ClassVar[int] = BAD_REQUEST
    advice = "Make the query with 'openssl ts -query' or a library for RFC 3161."


class TimestampQueryMalformed(TimestampQueryRefused):
    failure = BAD_FORMAT


class TimestampQueryOfAnotherVersion(TimestampQueryRefused):
    advice = "Ask in version 1, the only one that there is."


class TimestampHashUnfit(TimestampQueryRefused):
    failure = BAD_ALGORITHM
    advice = "Hash with SHA-256, SHA-384 or SHA-512."


class TimestampPolicyUnknown(TimestampQueryRefused):
    failure = NO_SUCH_POLICY
    advice = "Ask for the authority's own policy, or for none."


class TimestampExtensionUnknown(TimestampQueryRefused):
    failure = NO_SUCH_EXTENSION
    advice = "Ask without extensions."


class Query(NamedTuple):
    """hash: AlgorithmIdentifier, DER, as it was asked; digest: raw; policy: object identifier, DER, or empty.

    nonce: contents of the INTEGER, or empty; certificates: the authority's are asked for.
    """

    hash: bytes
    digest: bytes
    policy: bytes
    nonce: bytes
    certificates: bool


def load_query(data: bytes) -> Query:
    """Takes a query apart.

    Raises:
        TimestampQueryMalformed, TimestampQueryOfAnotherVersion, TimestampHashUnfit, TimestampExtensionUnknown.
    """
    try:
        if len(data) > MAX_QUERY_BYTES:
            raise ValueError("too long")
        check_der(data)
        return _read(data)
    except (ValueError, IndexError):
        raise TimestampQueryMalformed("This is no timestamp query.") from None


def check_policy(query: Query, policy: bytes) -> None:
    """policy: the authority's own object identifier, DER. Raises TimestampPolicyUnknown."""
    if query.policy not in (b"", policy):
        raise TimestampPolicyUnknown("The query asks for another policy than the authority's.")


def _read(data: bytes) -> Query:
    """Raises ValueError and the rules above."""
    version, imprint, *rest = members(_contents(data, _SEQUENCE))
    if _contents(version, _INTEGER) != b"\x01":
        raise TimestampQueryOfAnotherVersion("The query is of another version of the protocol.")
    algorithm, digest = members(_contents(imprint, _SEQUENCE))
    hashed = _contents(digest, _OCTETS)
    _check_hash(algorithm, hashed)
    policy = _take(rest, _OID)
    nonce = _take(rest, _INTEGER)
    wanted = _take(rest, _BOOLEAN)
    if rest and rest[0][0] == _EXTENSIONS:
        raise TimestampExtensionUnknown("The query carries extensions.")
    if rest or (policy and not contents(policy)) or (wanted and contents(wanted) not in (b"\0", b"\xff")):
        raise ValueError("something else")
    return Query(algorithm, hashed, policy, _nonce(nonce), bool(wanted) and contents(wanted) == b"\xff")


def _check_hash(algorithm: bytes, digest: bytes) -> None:
    kind, *parameters = members(_contents(algorithm, _SEQUENCE))
    if kind not in HASHES:
        raise TimestampHashUnfit("The query brings a hash that the authority does not take.")
    if parameters not in ([], [NULL]) or len(digest) != HASHES[kind]:
        raise TimestampQueryMalformed("The query's digest does not fit its algorithm.")


def _nonce(nonce: bytes) -> bytes:
    """Raises ValueError unless it is the one spelling of a number, or empty."""
    value = contents(nonce) if nonce else b""
    padded = len(value) > 1 and (value[0], value[1] >> 7) in ((0, 0), (0xFF, 1))
    if (nonce and not value) or len(value) > _MAX_NONCE_BYTES or padded:
        raise ValueError("not a nonce")
    return value


def _take(rest: list[bytes], tag: int) -> bytes:
    """The next member, if it is of this type."""
    return rest.pop(0) if rest and rest[0][0] == tag else b""


def _contents(value: bytes, tag: int) -> bytes:
    if value[0] != tag:
        raise ValueError("another type")
    return contents(value)
