"""With a receipt, signatures at hand are judged in both ways, by the log and by the pins, and the two must agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hsmpub.client.finding import Found, NoSignatureFound, find_signatures
from hsmpub.client.given import given_file
from hsmpub.client.judging import Judged, SignatureOfNoPinnedKey, check_nothing_else, judge
from hsmpub.client.stamped_time import Authorities
from hsmpub.errors import Broken
from hsmpub.formats.cms.stamp import STAMPED, without_timestamp
from hsmpub.formats.registry import get_format
from hsmpub.model.digest import sha256_hex
from hsmpub.model.keys import Keys
from hsmpub.receipt.report import Report, SignatureSeen


class VerificationsDisagree(Broken):
    advice = "Use nothing of it, and report it with the receipt: the log and the pins cannot both be right."


def judge_with(report: Report, files: Sequence[Path], keys: Keys, authorities: Authorities) -> list[Judged]:
    """The signatures of these files that the receipt speaks of, judged by the pins, too.

    Raises:
        VerificationsDisagree, SignedFileAltered, and what `judge` raises of timestamps and certificates.
    """
    judged: list[Judged] = []
    for path in files:
        try:
            founds = find_signatures(path, files)
        except NoSignatureFound:
            continue  # a signature itself, or nothing at hand that signs it
        for found in founds:
            seen = _seen(found, report)
            if seen is None:
                continue
            if seen.key in report.newer_keys:  # of a key that was made since, the receipt alone knows
                if found.embedded:
                    check_nothing_else(found, get_format(seen.format))
                continue
            judged.append(_agreed(found, path, seen, report, keys, authorities))
    return judged


def _agreed(
    found: Found, path: Path, seen: SignatureSeen, report: Report, keys: Keys, authorities: Authorities
) -> Judged:
    file = replace(given_file(path), name=seen.artifact)
    try:
        one = judge(found, file, keys, authorities, logged_at=report.at)
    except SignatureOfNoPinnedKey as e:
        raise VerificationsDisagree(f"The receipt says that {seen.key!r} made {found.path.name}. {e.detail}") from e
    if (one.key, one.format) != (seen.key, seen.format):
        raise VerificationsDisagree(
            f"{found.path.name}: {seen.format} by {seen.key!r}, says the receipt; "
            f"{one.format} by {one.key!r}, say the pins."
        )
    return one


def _seen(found: Found, report: Report) -> SignatureSeen | None:
    outputs = [without_timestamp(found.output, form.name)[0] if form.name in STAMPED else found.output
               for form in found.forms]  # fmt: skip
    digests = {sha256_hex(output) for output in outputs}
    return next((one for one in report.signatures if one.sha256 in digests), None)
