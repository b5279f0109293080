"""Reads the service's own lists of revoked certificates, and compares them with what was asked and what the log says.

Builds nothing. Source: RFC 5280, 5.1 and 5.2.
"""

from __future__ import annotations

from cryptography import x509

from hsmpub.formats.context import Context
from hsmpub.formats.format import Claim, OutputForAnother, OutputMalformed
from hsmpub.formats.x509.signed_read import UNREADABLE, issuer_of, read_signed
from hsmpub.model.key import KeyRecord


class CrlMalformed(OutputMalformed):
    pass


class CrlForAnother(OutputForAnother):
    pass


def read_list(output: bytes, asked: bytes, key: KeyRecord, context: Context | None) -> Claim:
    """What a list claims to be signed. asked: the file of revocations that it was asked for with.

    Raises:
        CrlMalformed, CrlForAnother.
    """
    found, claim = read_signed(output, "X509 CRL", x509.load_der_x509_crl, key, CrlMalformed)
    try:
        entries = {f"{one.serial_number:x}": (_reason(one), int(one.revocation_date_utc.timestamp())) for one in found}
        oids = {one.oid.dotted_string for one in found.extensions}
        number = found.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
        issuer, begins, ends = found.issuer, found.last_update_utc, found.next_update_utc
    except UNREADABLE:
        raise CrlMalformed("The list cannot be read, or has no number.") from None
    if oids != {"2.5.29.35", "2.5.29.20"} or ends is None or len(entries) != len(list(found)):
        raise CrlMalformed("The list is not one that the service writes.")
    if issuer != issuer_of(key).subject:
        raise CrlForAnother("The list names another issuer.")
    wanted = dict(line.split(" ") for line in asked.decode("ascii", "replace").splitlines())
    if any(entries.get(serial, ("", 0))[0] != reason for serial, reason in wanted.items()):
        raise CrlForAnother("The list lacks what was asked to be revoked.")
    if context is not None and context.crl is not None:
        times = (int(begins.timestamp()), int(ends.timestamp()))
        if times != (context.at, context.at + context.crl.seconds):
            raise CrlForAnother("The list is of another time.")
        if any(entries[serial][1] != context.at for serial in wanted):
            raise CrlForAnother("The list revokes at another time.")
        _compare_log(entries, number, wanted, context)
    return claim


def _compare_log(
    entries: dict[str, tuple[str, int]], number: int, wanted: dict[str, str], context: Context
) -> None:  # fmt: skip
    if context.revoked is None:  # as on a client, which has not read the whole log
        return
    before = {one.serial: (one.reason, one.at) for one in context.revoked.certificates}
    if number != context.revoked.number or {s: e for s, e in entries.items() if s not in wanted} != before:
        raise CrlForAnother("The list does not hold exactly what the log says, under its number.")


def _reason(one: x509.RevokedCertificate) -> str:
    """Raises ValueError: an extension that is not the reason."""
    if not list(one.extensions):
        return "unspecified"
    [extension] = one.extensions
    if not isinstance(extension.value, x509.CRLReason):
        raise ValueError("another extension than the reason")
    return str(extension.value.reason.value)
