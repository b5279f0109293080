"""Transcripts as people read them, with what differs from day to day masked: compared with the files in `golden/`.

A file that is missing is written, and the test fails once: look at it, and commit it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hsmpub.transcript.record import Transcript

FOLDER = Path(__file__).parent / "golden"
_MASKS = (
    (re.compile(r"^([0-9a-f]{32,}|[0-9A-F]{40})$"), "<hex>"),
    (re.compile(r"^age1[0-9a-z]{20,}$"), "<age key>"),
    (re.compile(r"^ssh-\S+ \S+.*$"), "<SSH key>"),
    (re.compile(r"^(SHA256:)?[A-Za-z0-9+/]{43}$"), "<fingerprint>"),
    (re.compile(r"^([a-z]{4,8} ){11}[a-z]{4,8}$"), "<twelve words>"),
    (re.compile(r"^/\S*\.so$"), "<module>"),
    (re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"), "<time>"),
    (re.compile(r"^\S+\+[0-9a-f]{8}\+[A-Za-z0-9+/=]{44}$"), "<verifier key>"),
)
_DROPPED = ("protections", "taken_at")  # of the machine that it runs on, and of the day


def readable(transcript: Transcript) -> str:
    """Step by step, without time."""
    head = transcript.head
    lines = [f"{head.ceremony} of {head.service}{', a rehearsal' if head.rehearsal else ''}", ""]
    for step in transcript.steps:
        lines.append(f"{step.number:>3}  {step.what}")
        lines += [f"       {line}" for line in _facts(step.facts)]
    return "\n".join(lines) + "\n"


def check_golden(name: str, transcript: Transcript) -> None:
    path, text = FOLDER / f"{name}.txt", readable(transcript)
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        raise AssertionError(f"{path} was written: look at it, and commit it")
    assert text == path.read_text()


def _facts(facts: dict[str, Any]) -> Iterator[str]:
    for key, value in facts.items():
        if key in _DROPPED or value == {}:
            continue
        if isinstance(value, list) and value and isinstance(value[0], dict):
            yield f"{key}:"
            for item in value:
                yield "  - " + ", ".join(f"{name}: {_mask(part)}" for name, part in item.items())
        elif isinstance(value, dict):
            yield f"{key}:"
            yield from (f"  {name}: {_mask(part)}" for name, part in value.items())
        else:
            yield f"{key}: {_mask(value)}"


def _mask(value: Any) -> str:
    if not isinstance(value, str):
        return json.dumps(value)
    return next((mask for pattern, mask in _MASKS if pattern.match(value)), value)
