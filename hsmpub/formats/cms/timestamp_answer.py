"""Answers to timestamp queries: TSTInfo built from the query's hash and nonce and the authority's own terms, or a no.

Source: RFC 3161, sections 2.3 and 2.4.2; RFC 5816 (signing certificate, version 2).
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import msgspec
from cryptography import x509

from hsmpub.errors import Unavailable
from hsmpub.formats.cms.chain import load_chain
from hsmpub.formats.cms.der import context, integer, octets, oid, sequence, tlv
from hsmpub.formats.cms.signed_data import prepare_attributes, signed_attributes, signed_data
from hsmpub.formats.cms.timestamp import check_time_usage
from hsmpub.formats.cms.timestamp_query import Query
from hsmpub.formats.format import Prepared
from hsmpub.model.clock import rfc3339
from hsmpub.model.key import KeyRecord

_TST_INFO = oid("1.2.840.113549.1.9.16.1.4")
_GRANTED = sequence(integer(0))
_REJECTION = integer(2)
_MOST_TEXT = 400
_TRUE = tlv(0x01, b"\xff")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class TimestampCertificateOver(Unavailable):
    advice = "Have the authority's certificate renewed, and import it with 'hsmpub-ceremony certificate-import'."


class Stamp(msgspec.Struct, frozen=True):
    """What the authority says. at: microseconds since 1970; serial: unique; policy: object identifier, dotted.

    accuracy: seconds; ordering: its timestamps are in the order of their times, however accurate these are.
    """

    at: int
    serial: int
    policy: str
    accuracy: int
    ordering: bool


def prepare_answer(query: Query, key: KeyRecord, stamp: Stamp) -> Prepared:
    """What the HSM signs.

    Raises:
        CertificateMissing, CertificateOfAnotherKey, TimestampCertificateUnfit, TimestampCertificateOver.
    """
    chain = load_chain(key)
    check_time_usage(chain, key.name)
    for der in chain.ders:
        _check_valid(x509.load_der_x509_certificate(der), key.name, stamp.at)
    info = _tst_info(query, stamp)
    attributes = signed_attributes(_TST_INFO, hashlib.sha256(info).digest(), stamp.at // 1_000_000, chain)
    prepared = prepare_attributes(attributes, key.kind, chain, _TST_INFO + context(0, octets(info)))
    if query.certificates:
        return prepared
    attributes, signer, _, content = prepared.parts
    return msgspec.structs.replace(prepared, parts=(attributes, signer, b"", content))


def assemble_answer(prepared: Prepared, signature: bytes) -> bytes:
    """TimeStampResp, granted, DER. Raises RawSignatureMalformed."""
    return sequence(_GRANTED, signed_data(prepared, signature, version=3))


def rejection(failure: int, text: str) -> bytes:
    """TimeStampResp without a timestamp, DER. failure: bit of PKIFailureInfo; text: for people."""
    unused = 7 - failure % 8
    flags = bytearray(failure // 8 + 1)
    flags[-1] = 1 << unused
    said = sequence(tlv(0x0C, text[:_MOST_TEXT].encode()))
    return sequence(sequence(_REJECTION, said, tlv(0x03, bytes((unused,)), bytes(flags))))


def _tst_info(query: Query, stamp: Stamp) -> bytes:
    return sequence(
        integer(1),
        oid(stamp.policy),
        sequence(query.hash, octets(query.digest)),
        integer(stamp.serial),
        tlv(0x18, _time(stamp.at)),
        sequence(integer(stamp.accuracy)),
        _TRUE if stamp.ordering else b"",
        tlv(0x02, query.nonce) if query.nonce else b"",
    )


def _time(at: int) -> bytes:
    """GeneralizedTime: a fraction only where there is one, and without zeros at its end."""
    second, fraction = divmod(at, 1_000_000)
    parts = f".{fraction:06d}".rstrip("0") if fraction else ""
    return f"{datetime.fromtimestamp(second, UTC):%Y%m%d%H%M%S}{parts}Z".encode()


def _check_valid(certificate: x509.Certificate, key: str, at: int) -> None:
    if not certificate.not_valid_before_utc <= _EPOCH + timedelta(microseconds=at) <= certificate.not_valid_after_utc:
        raise TimestampCertificateOver(
            f"A certificate of the key {key!r} is not valid at {rfc3339(at // 1_000_000)}, the time of the timestamp."
        )
