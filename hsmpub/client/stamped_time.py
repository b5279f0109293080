"""What timestamps are worth: by authorities that are pinned, over this signature, while everything was valid.

A timestamp that nobody can judge here is no timestamp, and is refused by name unless the caller says to leave them out.
Source: RFC 3161, appendix B; RFC 5816.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509

from hsmpub.errors import Invalid
from hsmpub.formats.cms.certificates import with_its_certificates
from hsmpub.formats.cms.chain import load_chain
from hsmpub.formats.cms.read import ReadSignedData
from hsmpub.formats.cms.stamp import STAMPED, signature_value
from hsmpub.formats.cms.timestamp_signer import TimestampUntrusted
from hsmpub.formats.cms.timestamp_token import see_token, token_of
from hsmpub.formats.format import Format
from hsmpub.formats.source import Source, hash_ranges
from hsmpub.model.clock import rfc3339
from hsmpub.model.key import KeyRecord
from hsmpub.model.keys import Keys

#: Seconds that the clocks of signer and authority may differ.
MAX_SKEW = 300


class TimestampNotJudged(Invalid):
    advice = "Name the authority's certificate with --timestamp-ca, or say --ignore-timestamps."


class TimestampFails(Invalid):
    advice = "Do not rely on it: the file may have been signed at another time. Get it again, or report it."


class TimestampLacks(Invalid):
    advice = "Have it signed again with 'hsmpub sign --timestamps', or leave --require-timestamp out."


class CertificateOver(Invalid):
    advice = "Get a newer release, or verify with the receipt; other programs will refuse the file, too."


@dataclass(frozen=True)
class Authorities:
    """Whose timestamps count. pins: certificates of authorities, or of CAs above them; own: timestamp keys of the
    service's pins. ignored: timestamps are left out; required: what can hold one has one. now: seconds since 1970."""

    pins: tuple[x509.Certificate, ...]
    own: tuple[KeyRecord, ...]
    now: int
    ignored: bool = False
    required: bool = False


@dataclass(frozen=True)
class Time:
    """at: seconds since 1970; authority: in words; key: of the service's pins, or empty. is_judged: it counts."""

    at: int
    authority: str
    key: str = ""
    is_judged: bool = True


def own_authorities(keys: Keys) -> tuple[KeyRecord, ...]:
    """The service's own timestamp keys, but those that others may know."""
    mine = [key for key in keys.known if "timestamp" in key.record.formats and key.life.reason != "compromised"]
    return tuple(key.record for key in mine if key.record.certificates)


def judge_token(token: bytes, output: bytes, authorities: Authorities, name: str) -> Time:
    """The timestamp in a signature. Raises TimestampNotJudged, TimestampFails."""
    data = signature_value(output)
    return _judge(token, lambda algorithm: hashlib.new(algorithm, data).digest(), authorities, name)


def judge_response(response: bytes, source: Source, authorities: Authorities, name: str) -> Time:
    """A file of its own (.tsr) over a file. It is nothing but a timestamp, so it is never left out.

    Raises TimestampNotJudged, TimestampFails."""
    try:
        token = token_of(response)
    except Invalid as e:
        raise TimestampFails(f"{name}: {e.detail}") from None
    stamped = Authorities(authorities.pins, authorities.own, authorities.now)
    return _judge(token, lambda algorithm: hash_ranges(source, (0, source.size), algorithm=algorithm), stamped, name)


def check_times(
    form: Format, output: bytes, record: KeyRecord, time: Time | None, authorities: Authorities, logged_at: int | None
) -> list[str]:
    """Whether certificate, signing time and timestamp fit each other. Returns what is to be known besides.

    logged_at: when a receipt shows that it was signed, seconds since 1970.

    Raises:
        TimestampLacks, TimestampFails, CertificateOver.
    """
    if form.name not in STAMPED:
        return []
    counts = time is not None and time.is_judged
    if authorities.required and not counts:
        raise TimestampLacks(f"The {form.name} signature has no timestamp that counts.")
    signed_at = ReadSignedData(output, load_chain(record), record.kind).at
    if time is not None and counts and time.at + MAX_SKEW < signed_at:
        raise TimestampFails(f"The timestamp ({rfc3339(time.at)}) is older than the signature ({rfc3339(signed_at)}).")
    shown = time.at if time is not None and counts else logged_at
    ends = _check_valid(record, authorities.now if shown is None else shown, shown is not None)
    if time is None:
        return [f"no timestamp: it counts until its certificate ends, {rfc3339(ends)}, and no longer"]
    return [] if counts else ["its timestamp was not judged, as was asked"]


def _check_valid(record: KeyRecord, at: int, is_shown: bool) -> int:
    """When the first of the certificates ends. Raises CertificateOver."""
    when = datetime.fromtimestamp(at, UTC)
    chain = [x509.load_der_x509_certificate(der) for der in load_chain(record).ders]
    for one in chain:
        if not one.not_valid_before_utc <= when <= one.not_valid_after_utc:
            then = "when it was signed" if is_shown else "now, and no timestamp shows that it was signed before"
            raise CertificateOver(f"{one.subject.rfc4514_string()!r} is not valid {then}.")
    return int(min(one.not_valid_after_utc for one in chain).timestamp())


def _judge(token: bytes, digest_of: Callable[[str], bytes], authorities: Authorities, name: str) -> Time:
    if authorities.ignored:
        return Time(0, "", is_judged=False)
    own = _own_certificates(token, authorities)
    if not own and not authorities.pins:
        raise TimestampNotJudged(f"{name}: there is a timestamp, and no authority is known that could have made it.")
    try:
        seen = see_token(token, digest_of, (*own, *authorities.pins))
    except TimestampUntrusted as e:
        raise TimestampFails(
            f"{name}: its timestamp does not count. {e.detail}", next_step=TimestampNotJudged.advice
        ) from None
    except Invalid as e:
        raise TimestampFails(f"{name}: its timestamp does not count. {e.detail}") from None
    if seen.at > authorities.now + MAX_SKEW:
        raise TimestampFails(f"{name}: its timestamp is of a time to come, {rfc3339(seen.at)}.")
    return Time(seen.at, seen.by.subject.rfc4514_string(), own.get(seen.by, ""))


def _own_certificates(token: bytes, authorities: Authorities) -> dict[x509.Certificate, str]:
    """Certificate → its key: those in the pins, and one that the token brings for the same key."""
    found: dict[x509.Certificate, str] = {}
    for record in authorities.own:
        for one in (record, with_its_certificates(token, record)):
            if one is not None:
                found[x509.load_der_x509_certificate(load_chain(one).ders[0])] = record.name
    return found
