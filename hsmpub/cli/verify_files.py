"""Signed files without a receipt: which key of the pins signed, in which format, with which timestamp."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import typer

from hsmpub.cli.say import REFUSED, note, say, say_json
from hsmpub.cli.visible import visible
from hsmpub.client.finding import find_signatures, signed_by
from hsmpub.client.given import given_file
from hsmpub.client.judging import Judged, judge
from hsmpub.client.stamped_time import Authorities, own_authorities
from hsmpub.client.timestamp_file import load_pins, read_timestamp_file
from hsmpub.errors import HsmpubError, Problem
from hsmpub.model.clock import rfc3339
from hsmpub.model.trust import Trust, known_keys
from hsmpub.receipt.model import SUFFIX


def authorities_of(
    trust: Trust, files: Sequence[Path], named: Path | None, *, required: bool, ignored: bool
) -> Authorities:
    """Raises TimestampPinsUnusable, TimestampFileWrong."""
    pinned = [pin for path in files for pin in load_pins(path)]
    if named is not None:
        pinned += read_timestamp_file(named).pins
    own = own_authorities(known_keys(trust))
    return Authorities(tuple(pinned), own, int(time.time()), ignored=ignored, required=required)


def verify_files(files: Sequence[Path], trust: Trust, authorities: Authorities, *, as_json: bool) -> None:
    """Every signature of every file; ends with 1 where one does not hold, or a file has none."""
    keys = known_keys(trust)
    judged: list[Judged] = []
    problems: dict[str, Problem] = {}
    for path in _subjects(files):
        try:
            founds, given = find_signatures(path), given_file(path)
        except HsmpubError as e:
            problems[str(path)] = Problem.of(e)
            continue
        for found in founds:
            try:
                judged.append(judge(found, given, keys, authorities))
            except HsmpubError as e:
                problems[str(found.path)] = Problem.of(e)
    if as_json:
        say_json({"verified": not problems, "judged": judged, "problems": problems})
    else:
        _say(judged, problems)
    if problems:
        raise typer.Exit(REFUSED)


def _subjects(files: Sequence[Path]) -> list[Path]:
    """The files that are signed: a signature stands for the file beside it, named or not."""
    return list(dict.fromkeys(signed_by(path) or path for path in files))


def _say(judged: Sequence[Judged], problems: dict[str, Problem]) -> None:
    for one in judged:
        say_judged(one)
    for path, problem in problems.items():
        say(f"no  {visible(path)}: {visible(problem.detail)} {visible(problem.next_step)}", "red")
    if problems:
        return  # what a receipt would add is of no use to a file that is refused
    say(f"Verified by the pins: {len(judged)} {'signatures' if len(judged) > 1 else 'signature'}.", "green")
    note(
        "Without a receipt this does not say who asked for it, who approved, under which policy, when, and whether"
        f" it is in the log: 'hsmpub verify FILE{SUFFIX} FILE' does."
    )


def say_judged(one: Judged) -> None:
    """What holds, in words."""
    where = "in the file" if one.embedded else "beside the file"
    by = f"key {visible(one.key)} ({visible(one.key_kind)})" if one.key else "no key of the pins"
    say(f"ok  {visible(one.name)}: {visible(one.format)}, {where}, by {by}{_time(one)}")
    for said in one.notes:
        say(f"      {visible(said)}", "yellow")


def _time(one: Judged) -> str:
    if one.time is None or not one.time.is_judged:
        return ""
    own = f", which is the key {visible(one.time.key)}" if one.time.key and one.time.key != one.key else ""
    return f"; timestamp {rfc3339(one.time.at)} by {visible(one.time.authority)}{own}"
