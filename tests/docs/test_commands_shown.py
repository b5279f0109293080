"""Every command in the documents can be typed: sub-command, options and what is required are those of the program."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from documents import PAGES, name_of, shell_lines, spans

from ceremony.cli import app as ceremony_app
from hsmpub.cli.app import make_app
from hsmpub.cli.examples import EXAMPLES

_PROGRAMS = {"hsmpub": typer.main.get_command(make_app()), "hsmpub-ceremony": typer.main.get_command(ceremony_app)}
_ENDS = {"|", "||", "&&", ";", ">", "2>", "<", "&"}


def _commands(line: str) -> Iterator[list[str]]:
    """Each command of a line, from its program to what ends it."""
    try:
        words = shlex.split(line.replace("$(", "").replace("{{", "").replace("}}", ""), comments=True)
    except ValueError:
        return
    for at, word in enumerate(words):
        if word in _PROGRAMS and at + 1 < len(words) and (at == 0 or not words[at - 1].startswith("/")):
            end = next((i for i, w in enumerate(words[at:], at) if w in _ENDS), len(words))
            yield words[at:end]


def _check(words: list[str], *, whole: bool) -> None:
    command: Any = _PROGRAMS[words[0]]
    rest = words[1:]
    while hasattr(command, "commands") and rest and not rest[0].startswith("-"):
        fallback = getattr(command, "fallback", "")
        if fallback and rest[0] not in command.commands:
            rest = [fallback, *rest]
        assert rest[0] in command.commands, f"no command {rest[0]!r} in {' '.join(words)}"
        command, rest = command.commands[rest[0]], rest[1:]
    options = [param for param in command.params if param.param_type_name == "option"]
    known = {name: param for param in options for name in (*param.opts, *param.secondary_opts)}
    given, positional = set(), 0
    while rest:
        word = rest.pop(0)
        if not word.startswith("-") or word == "-":
            positional += 1
            continue
        option, _, value = word.partition("=")
        if option == "--help":
            return
        assert option in known, f"no option {option!r} in {' '.join(words)}"
        given.add(option)
        if not known[option].is_flag and not value and rest:
            rest.pop(0)
    if not whole or hasattr(command, "commands"):
        return
    for param in options:
        if param.required and not param.envvar:
            assert given & set(param.opts), f"{param.opts[0]} is required: {' '.join(words)}"
    wanted = [param for param in command.params if param.param_type_name == "argument" and param.required]
    assert positional >= len(wanted), f"an argument lacks: {' '.join(words)}"


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_of_the_help_can_be_typed(name: str) -> None:
    command: Any = _PROGRAMS["hsmpub"]
    for word in name.split():
        command = command.commands[word]
    shown = command.get_help(command.make_context(name, [], resilient_parsing=True))
    for line in EXAMPLES[name]:
        assert f"  {line}\n" in f"{shown}\n"
        assert len(line) < 110, "an example fits a line"
        for words in _commands(line):
            _check(words, whole=True)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_in_a_code_block_can_be_typed(page: Path) -> None:
    for line in shell_lines(page):
        for words in _commands(line):
            _check(words, whole=True)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_in_the_text_exists(page: Path) -> None:
    for span in spans(page):
        if re.match(r"hsmpub(-ceremony)? [a-z]", span):
            for words in _commands(span):
                _check([word.rstrip("…") for word in words if word != "…"], whole=False)


def test_a_misspelt_option_would_be_found() -> None:
    with pytest.raises(AssertionError, match="no option '--halder'"):
        _check(next(_commands("hsmpub unseal --halder x")), whole=True)
    with pytest.raises(AssertionError, match="no command 'unsael'"):
        _check(next(_commands("sudo hsmpub unsael")), whole=True)
    with pytest.raises(AssertionError, match="--commit is required"):
        _check(next(_commands("hsmpub release submit f --project p --version 1")), whole=True)
