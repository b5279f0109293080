"""`hsmpub verify`: checks a receipt and the files at hand, or signed files alone, offline, by nothing but the pins."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from hsmpub.artifact.plain_file import NotAPlainFile, open_plain
from hsmpub.cli.options import AsJson, Pins, pins
from hsmpub.cli.receipts_at_hand import share_out
from hsmpub.cli.say import REFUSED, note, say, say_json
from hsmpub.cli.verify_files import authorities_of, say_judged, verify_files
from hsmpub.cli.visible import visible
from hsmpub.client.agreeing import judge_with
from hsmpub.client.given import given_file
from hsmpub.client.stamped_time import Authorities
from hsmpub.client.upload import FileUnreadable
from hsmpub.errors import HsmpubError, Invalid
from hsmpub.formats.purposes import BEARER_FORMATS, CA_FORMATS
from hsmpub.model.trust import Trust, known_keys
from hsmpub.receipt import Step, verify_receipt
from hsmpub.receipt.model import FORMAT, SUFFIX
from hsmpub.receipt.report import Report

#: Names that are listed at most.
_SHOWN = 5
#: Formats that make something which is used by itself, without the file that was signed.
_ALONE = CA_FORMATS | BEARER_FORMATS | {"ssh-certificate"}


class OneAnswer(Invalid):
    advice = "With --json name one receipt in each call, and its files."


class NoSignedFile(Invalid):
    advice = (
        "Name the signed files beside the receipt and their signatures: a signature alone says nothing about a file."
    )


def verify(
    files: Annotated[list[Path], typer.Argument(help="A receipt and the files that belong to it; or signed files.")],
    trust: Pins = None,
    timestamp_ca: Annotated[
        list[Path] | None, typer.Option("--timestamp-ca", help="Certificates in PEM of a timestamp authority, or of "
                                        "CAs above it, whose timestamps count; may be given more than once.")
    ] = None,
    timestamps: Annotated[
        Path | None, typer.Option("--timestamps", envvar="HSMPUB_TIMESTAMPS", help="The file that 'hsmpub sign' takes: "
                                  "its authorities' timestamps count.")
    ] = None,
    require_timestamp: Annotated[
        bool, typer.Option("--require-timestamp", help="Refuse what could have a timestamp that counts, and has none.")
    ] = False,
    ignore_timestamps: Annotated[bool, typer.Option("--ignore-timestamps", help="Do not judge timestamps.")] = False,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Check signatures offline. With a receipt: log, request, policy, approvals, signatures, files, publishing; prints
    each step. Several receipts are each checked with the files that they are about. Without one: the signature in each
    file, and those beside it (FILE.asc, FILE.sig, …), by the keys of the pins alone. Timestamps are judged, too.

    Exit status: 0 everything holds, 1 something does not, or nothing was there to check, 2 wrong usage."""
    known = pins(trust)
    authorities = authorities_of(
        known, timestamp_ca or (), timestamps, required=require_timestamp, ignored=ignore_timestamps
    )
    named = [path for path in files if _is_receipt(path)]
    if not named:
        verify_files(files, known, authorities, as_json=as_json)
        return
    # `sign` writes one receipt beside each file of a request: the same bytes, so it is one
    data = _read(named[0])
    copies = [path for path in named if path == named[0] or _read(path) == data]
    if files[0] != named[0] and len(copies) < len(named):
        _verify_receipts(files, {path: _read(path) for path in named}, known, authorities, as_json=as_json)
        return
    # `verify x.receipt.json *` names the receipt among the files, too
    others = [path for path in files if path not in copies]
    _verify_receipt(data, others, known, authorities, as_json=as_json)


def _verify_receipt(
    data: bytes, others: Sequence[Path], known: Trust, authorities: Authorities, *, as_json: bool
) -> None:
    given = [given_file(path) for path in others]
    keys = known_keys(known)
    say_step = (lambda _: None) if as_json else _say_step
    report = verify_receipt(data, known.log_key, given, pinned=keys, on_step=say_step)
    judged = judge_with(report, others, keys, authorities)
    if given and not _says_something(report):
        raise NoSignedFile("None of the files that were named is one that was signed.")
    if as_json:
        say_json({"verified": True, **{name: getattr(report, name) for name in _MEMBERS}, "judged": judged})
        return
    for one in judged:
        say_judged(one)
    what = " ".join(visible(part) for part in (report.kind, report.project, report.version) if part)
    say(f"Verified: {what} by {visible(report.service)}, request {visible(report.request)}.", "green")
    if report.newer_keys:
        names = ", ".join(map(visible, report.newer_keys))
        note(f"Your pins do not hold {names} yet; the receipt proves it. Bring them up to date: 'hsmpub trust update'.")
    if given and (absent := [one.name for one in report.subjects if one.name not in report.at_hand]):
        note(
            f"This says nothing about files that were not named: {', '.join(map(visible, absent[:_SHOWN]))}"
            f"{f' and {len(absent) - _SHOWN} more' if len(absent) > _SHOWN else ''}."
        )
    if not given:
        note("No file was named, so this says nothing about a file at hand: name the artifacts after the receipt.")


def _says_something(report: Report) -> bool:
    """Whether a signed file is at hand, or what is used without one: a certificate, a token, a tag."""
    names = {one.name for one in report.subjects}
    alone = any(one.given and (one.format in _ALONE or one.artifact not in names) for one in report.signatures)
    return bool(report.at_hand) or alone or not report.signatures


def _verify_receipts(
    files: Sequence[Path], receipts: dict[Path, bytes], known: Trust, authorities: Authorities, *, as_json: bool
) -> None:
    """Each receipt with the files that belong to it; ends with 1 where one does not hold, and goes on with the rest."""
    if as_json:
        raise OneAnswer("Several receipts have several answers.")

    def names_in(data: bytes) -> frozenset[str]:
        report = verify_receipt(data, known.log_key, (), pinned=known_keys(known))
        return frozenset(subject.name for subject in report.subjects) | {one.name for one in report.signatures}

    failed = []
    for data, share in share_out(files, receipts, names_in).items():
        name = next(str(path) for path, held in receipts.items() if held == data)
        say(f"{visible(name)}:")
        try:
            _verify_receipt(data, share, known, authorities, as_json=False)
        except HsmpubError as e:
            say(f"no  {visible(e.detail)} {visible(e.next_step)}", "red")
            failed.append(name)
    if failed:
        note(f"Not verified: {', '.join(failed)}.")
        raise typer.Exit(REFUSED)
    say(f"All {len(set(receipts.values()))} receipts hold.", "green")


def _is_receipt(path: Path) -> bool:
    """By its name, or by how it begins."""
    if path.name.endswith(SUFFIX):
        return True
    try:
        with open_plain(path) as file:
            return FORMAT.encode() in file.read(64)
    except (OSError, NotAPlainFile):
        return False


def _read(receipt: Path) -> bytes:
    try:
        with open_plain(receipt) as file:
            return file.read()
    except OSError as e:
        raise FileUnreadable(f"{receipt} cannot be read: {e.strerror}.") from None


_MEMBERS = (
    "service", "request", "kind", "project", "version", "commit", "requester", "at", "checkpoint", "policy_index",
    "roster_index", "subjects", "approvals", "signatures", "artifacts", "published", "newer_keys",
    "steps", "at_hand",
)  # fmt: skip


def _say_step(step: Step) -> None:
    say(f"ok  {step.name:<12}{visible(step.said)}")
    for detail in step.details:
        say(f"      {visible(detail)}")
