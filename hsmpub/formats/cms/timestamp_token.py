"""RFC 3161: asks for a timestamp, and reads what comes: over these bytes, for this question, by an authority's key.

Source: RFC 3161, section 2.4; RFC 5816 (signing certificate); RFC 5280, section 6 (a short, plain chain).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

from asn1crypto import cms as asn1_cms
from asn1crypto import tsp
from cryptography import x509
from cryptography.exceptions import InvalidSignature

from hsmpub.errors import Invalid
from hsmpub.formats.cms.der import integer, octets, sequence, tlv
from hsmpub.formats.cms.der_check import check_der, contents, members
from hsmpub.formats.cms.signed_data import SHA256 as SHA256_DER
from hsmpub.formats.cms.timestamp_signer import (
    TIMESTAMP_HASHES,
    TimestampUntrusted,
    check_authority,
    loaded,
    signer_of,
    verify_signer,
)
from hsmpub.formats.x509_read import UNREADABLE

MAX_RESPONSE_BYTES = 1 << 16


class TimestampMalformed(Invalid):
    advice = "Ask another authority: what this one sends is no timestamp."


class TimestampRefused(Invalid):
    advice = "See what the authority says, or ask another one."


class TimestampForAnother(Invalid):
    advice = "Nothing was written. The authority answered another question; ask another one, and report it."


class TimestampOffTime(Invalid):
    advice = "Set this machine's clock, or ask another authority."


class Token(NamedTuple):
    """der: the ContentInfo, as it goes into a signature; at: what it says, seconds since 1970."""

    der: bytes
    at: int


class Seen(NamedTuple):
    """A token that verified. at: what it says, seconds since 1970; by: the authority's own certificate."""

    at: int
    by: x509.Certificate


def timestamp_request(data: bytes, nonce: int) -> bytes:
    """TimeStampReq over SHA-256 of `data`, DER, asking for the certificate. nonce: positive, at most 64 bits."""
    imprint = sequence(SHA256_DER, octets(hashlib.sha256(data).digest()))
    return sequence(integer(1), imprint, integer(nonce), tlv(0x01, b"\xff"))


def read_response(response: bytes, data: bytes, nonce: int, pins: Sequence[x509.Certificate]) -> Token:
    """The token in an authority's answer, verified.

    Raises:
        TimestampMalformed, TimestampRefused, TimestampForAnother, TimestampUntrusted.
    """
    token = token_of(response)
    found, seen = _read_token(token, _sha256_of(data), pins)
    if found != nonce:
        raise TimestampForAnother("The timestamp carries another nonce than was asked for.")
    return Token(token, seen.at)


def token_of(response: bytes) -> bytes:
    """The token of a granted answer, nothing verified. Raises TimestampMalformed, TimestampRefused."""
    try:
        check_der(response)
        information, *rest = members(contents(response))
        status = tsp.PKIStatusInfo.load(information, strict=True)["status"].native
        if status not in ("granted", "granted_with_mods"):
            raise TimestampRefused(f"The authority refuses: {status}.")
        [token] = rest
    except _BROKEN:
        raise TimestampMalformed("The authority's answer is no timestamp response.") from None
    return token


def see_token(token: bytes, digest_of: Callable[[str], bytes], pins: Sequence[x509.Certificate]) -> Seen:
    """Verifies a token wherever it comes from. digest_of: digest of what was stamped under sha256, sha384 or sha512.

    Raises:
        TimestampMalformed, TimestampForAnother, TimestampUntrusted.
    """
    return _read_token(token, digest_of, pins)[1]


def _sha256_of(data: bytes) -> Callable[[str], bytes]:
    """We ask with SHA-256, and nobody answers otherwise."""
    return lambda name: hashlib.sha256(data).digest() if name == "sha256" else b""


_BROKEN = UNREADABLE


def _read_token(
    token: bytes, digest_of: Callable[[str], bytes], pins: Sequence[x509.Certificate]
) -> tuple[int | None, Seen]:
    """The nonce, and what there is to see."""
    try:
        if len(token) > MAX_RESPONSE_BYTES:  # what of it is under no signature is not bounded by anything else
            raise ValueError("too long")
        check_der(token)
        signed = asn1_cms.ContentInfo.load(token, strict=True)["content"]
        [signer] = signed["signer_infos"]
        content = signed["encap_content_info"]
        info = content["content"].parsed
        attributes = {one["type"].native: one["values"] for one in signer["signed_attrs"]}
        encoded: bytes = content["content"].contents
        certificates = loaded([one.chosen.dump() for one in signed["certificates"] or []])
        leaf = signer_of(attributes, [*certificates, *(one for one in pins if one not in certificates)])
        imprint, at = info["message_imprint"], int(info["gen_time"].native.timestamp())
        nonce: int | None = info["nonce"].native
        name, stamped = imprint["hash_algorithm"]["algorithm"].native, imprint["hashed_message"].native
        kinds = {content["content_type"].native, attributes["content_type"][0].native}
        whole = hashlib.new(signer["digest_algorithm"]["algorithm"].native, encoded).digest()
        if kinds != {"tst_info"} or attributes["message_digest"][0].native != whole:
            raise TimestampMalformed("The timestamp's attributes are not those of its content.")
        verify_signer(leaf, signer)
    except _BROKEN:
        raise TimestampMalformed("The authority's answer holds no timestamp token.") from None
    except InvalidSignature:
        raise TimestampUntrusted("The timestamp's signature does not verify.") from None
    if name not in TIMESTAMP_HASHES or stamped != digest_of(name):
        raise TimestampForAnother("The timestamp is over something else.")
    check_authority(leaf, certificates, pins, at)
    return nonce, Seen(at, leaf)
