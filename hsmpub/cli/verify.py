"""`hsmpub verify`: checks a receipt and the files at hand, offline, with nothing but the pins."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hsmpub.cli.options import AsJson, Pins, pins
from hsmpub.cli.say import note, say, say_json
from hsmpub.cli.visible import visible
from hsmpub.client.given import given_file
from hsmpub.client.upload import FileUnreadable
from hsmpub.model.trust import known_keys
from hsmpub.receipt import Step, verify_receipt


def verify(
    receipt: Annotated[Path, typer.Argument(help="The receipt file.")],
    files: Annotated[list[Path] | None, typer.Argument(help="Artifacts and signatures that belong to it.")] = None,
    trust: Pins = None,
    as_json: AsJson = False,
) -> None:
    """Check a receipt offline: log, request, policy, approvals, signatures, files, publishing. Prints each step."""
    known = pins(trust)
    try:
        data = receipt.read_bytes()
    except OSError as e:
        raise FileUnreadable(f"{receipt} cannot be read: {e.strerror}.") from None
    # `verify x.receipt.json *` names the receipt among the files, too
    given = [given_file(path) for path in files or [] if not _is_same(path, receipt)]
    say_step = (lambda _: None) if as_json else _say_step
    report = verify_receipt(data, known.log_key, given, pinned=known_keys(known), on_step=say_step)
    if as_json:
        say_json({"verified": True, **{name: getattr(report, name) for name in _MEMBERS}})
        return
    what = " ".join(visible(part) for part in (report.kind, report.project, report.version) if part)
    say(f"Verified: {what} by {visible(report.service)}, request {visible(report.request)}.", "green")
    if report.newer_keys:
        names = ", ".join(map(visible, report.newer_keys))
        note(f"Your pins do not hold {names} yet; the receipt proves it. Bring them up to date: 'hsmpub trust update'.")
    if not given:
        note("No file was named, so this says nothing about a file at hand: name the artifacts after the receipt.")


def _is_same(one: Path, other: Path) -> bool:
    return one.exists() and one.samefile(other)


_MEMBERS = (
    "service", "request", "kind", "project", "version", "commit", "requester", "at", "checkpoint", "policy_index",
    "roster_index", "subjects", "approvals", "signatures", "artifacts", "published", "newer_keys",
    "steps",
)  # fmt: skip


def _say_step(step: Step) -> None:
    say(f"ok  {step.name:<12}{visible(step.said)}")
    for detail in step.details:
        say(f"      {visible(detail)}")
