"""A list of the certificates that a CA revoked (CRL), whole, for everything that the log says of it.

The file says what is to be revoked now, one line each: serial number and reason; an empty file asks for a fresh list.
Everything revoked before, and the number, come from the log. Nothing that was revoked is ever left out again, also when
it is over: signatures of its time are judged by it. Source: RFC 5280, 5.1, 5.2.3 and 5.3.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from cryptography import x509

from hsmpub.errors import Conflict, Invalid
from hsmpub.formats.base import Detached
from hsmpub.formats.context import Context, RevokedSoFar
from hsmpub.formats.detail import DetailMalformed
from hsmpub.formats.format import Artifact, Claim, Prepared
from hsmpub.formats.purposes import check_may_make
from hsmpub.formats.source import Source
from hsmpub.formats.whole import whole_of
from hsmpub.formats.x509.authority import HASH, KINDS, load_authority, prepared_of, signed, unsigned_by
from hsmpub.formats.x509.crl_read import read_list
from hsmpub.model.key import KeyRecord
from hsmpub.model.said import CrlSaid, Revoked

_MOST_BYTES = 16 * 1024
_MOST_AT_ONCE = 128
_LINE = re.compile(r"([1-9a-f][0-9a-f]{0,39}) ([A-Za-z]{1,30})\n")
#: As RFC 5280 spells them; the others are of delta lists, attributes and certificates on hold.
REASONS = ("unspecified", "keyCompromise", "affiliationChanged", "superseded", "cessationOfOperation")


class RevocationsMalformed(DetailMalformed):
    advice = (
        "Write one line each, 'SERIAL reason': the serial number in small hex digits, as 'openssl x509 -serial' has it."
    )


class NotIssuedHere(Invalid):
    advice = (
        "The log has no certificate of this CA with that number that is still valid: compare it with the certificate."
    )


class AlreadyRevoked(Conflict):
    advice = "Ask for a fresh list without it: what is revoked stays in every one."


class CrlProfileMissing(Invalid):
    advice = "The policy says in [project.NAME.crl] how long such a list is good."


class X509Crl(Detached):
    """`.crl`, PEM; signed with P-256 or RSA-3072."""

    name = "x509-crl"
    suffix = ".crl"
    key_kinds = KINDS
    detail_limit = _MOST_BYTES

    def extract(self, source: Source) -> bytes:
        """The file, as it is."""
        if source.size > _MOST_BYTES:
            raise RevocationsMalformed(f"A file of revocations has up to {_MOST_BYTES:,} bytes.")
        data = source.read(0, source.size)
        parse_revocations(data)
        return data

    def prepare(self, artifact: Artifact, key: KeyRecord, context: Context) -> Prepared:
        """Raises what every format raises, CrlProfileMissing, RevocationsMalformed, NotIssuedHere, AlreadyRevoked, and
        the rules of authority."""
        check_may_make(self, key)
        if context.crl is None or context.revoked is None:
            raise CrlProfileMissing("The request does not say how long the list is good.")
        asked, authority = parse_revocations(whole_of(artifact, self)), load_authority(key, context.at)
        _check(asked, context.revoked)
        added = tuple(Revoked(serial, reason, context.at) for serial, reason in asked)
        # all at once: each that is added alone copies those before it
        entries = [_entry(one) for one in (*context.revoked.certificates, *added)]
        builder = (
            x509.CertificateRevocationListBuilder(issuer_name=authority.name, revoked_certificates=entries)
            .last_update(_time(context.at))
            .next_update(_time(context.at + context.crl.seconds))
            .add_extension(authority.identifier, critical=False)
            .add_extension(x509.CRLNumber(context.revoked.number), critical=False)
        )
        tbs = builder.sign(unsigned_by(key), HASH).tbs_certlist_bytes
        return prepared_of(tbs, key, CrlSaid(key.name, context.revoked.number, added))

    def assemble(self, prepared: Prepared, signature: bytes) -> bytes:
        return signed(prepared, signature, "X509 CRL")

    def read(self, output: bytes, artifact: Artifact, key: KeyRecord, context: Context | None = None) -> Claim:
        return read_list(output, whole_of(artifact, self), key, context)


def parse_revocations(data: bytes) -> list[tuple[str, str]]:
    """Serial number (hex) and reason of each. Raises RevocationsMalformed."""
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError:
        raise RevocationsMalformed("The revocations are no plain text.") from None
    found = _LINE.findall(text)
    if "".join(f"{serial} {reason}\n" for serial, reason in found) != text or len(found) > _MOST_AT_ONCE:
        raise RevocationsMalformed(f"A line is no serial number and reason, or there are over {_MOST_AT_ONCE}.")
    if len({serial for serial, _ in found}) < len(found) or any(reason not in REASONS for _, reason in found):
        raise RevocationsMalformed(f"A number comes twice, or a reason is none of {', '.join(REASONS)}.")
    return found


def dump_revocations(revoked: Iterable[tuple[str, str]]) -> bytes:
    """The file that asks for these."""
    return "".join(f"{serial} {reason}\n" for serial, reason in revoked).encode()


def _check(asked: Iterable[tuple[str, str]], so_far: RevokedSoFar) -> None:
    """Raises NotIssuedHere, AlreadyRevoked."""
    gone = {one.serial for one in so_far.certificates}
    for serial, _ in asked:
        if serial in gone:
            raise AlreadyRevoked(f"The certificate {serial} is revoked already.")
        if serial not in so_far.issued:
            raise NotIssuedHere(f"This CA issued no certificate {serial}.")


def _entry(one: Revoked) -> x509.RevokedCertificate:
    builder = x509.RevokedCertificateBuilder(int(one.serial, 16), _time(one.at))
    if one.reason != "unspecified":  # RFC 5280, 5.3.1: left out rather than said
        builder = builder.add_extension(x509.CRLReason(x509.ReasonFlags(one.reason)), critical=False)
    return builder.build()


def _time(at: int) -> datetime:
    return datetime.fromtimestamp(at, UTC)
