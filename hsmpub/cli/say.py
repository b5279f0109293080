"""How the commands speak: facts on standard output, everything else on standard error, nothing interpreted."""

from __future__ import annotations

import sys
from typing import Any

import msgspec
from rich.console import Console
from rich.text import Text

from hsmpub.cli.visible import visible
from hsmpub.errors import HsmpubError

REFUSED, USAGE, UNREACHABLE, WAITING = 1, 2, 3, 4
_WAITS = frozenset({"still-waiting", "tuf-incomplete", "decryption-waits"})
_AWAY = frozenset({"service-unreachable", "keeper-unreachable", "answer-not-understood"})


def console() -> Console:
    """Standard output; made when used, so that it follows redirection."""
    return Console(highlight=False, markup=False, emoji=False, soft_wrap=True)


def say(text: str = "", style: str = "") -> None:
    """One line, plain. What comes from elsewhere goes through `visible` first, by whoever says it."""
    console().print(Text(text, style=style))


def note(text: str) -> None:
    """A line beside the facts: progress, advice."""
    Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True).print(Text(visible(text)))


def say_json(value: Any) -> None:
    """Any message or plain value as one JSON document; bytes become base64."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value)).decode() + "\n")


def say_error(error: HsmpubError) -> int:
    """One plain sentence, then the next step. Returns the exit status: 1 refused, 3 nobody answers, 4 it waits."""
    note(error.detail)
    if error.next_step:
        note(f"Next: {error.next_step}")
    if error.rule in _WAITS:
        return WAITING
    return UNREACHABLE if error.rule in _AWAY else REFUSED
