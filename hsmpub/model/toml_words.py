"""What is wrong with a value of a file that people write, in their words: pydantic's own speak of Python.

A schema says with `formed` which form a text has, and how that is told; everything else that pydantic refuses has a
sentence here. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from pydantic import AfterValidator
from pydantic_core import ErrorDetails, PydanticCustomError

from hsmpub.model.toml_walk import Path

_FORM = "text_form"
_LIST = "must be a list, in square brackets"
_TABLE = "must be a table"
_NUMBER = "must be a whole number, without quotation marks"
#: pydantic's type of error → what is said behind the key's name; members of its context are put in.
_WORDS = {
    "tuple_type": _LIST,
    "list_type": _LIST,
    "string_type": "must be text, in quotation marks",
    "bool_type": "must be true or false, without quotation marks",
    "int_type": _NUMBER,
    "int_parsing": _NUMBER,
    "int_from_float": _NUMBER,
    "dict_type": _TABLE,
    "model_type": _TABLE,
    "model_attributes_type": _TABLE,
    "literal_error": "must be {expected}",
    "string_too_short": "must not be shorter than {min_length} characters",
    "string_too_long": "must not be longer than {max_length} characters",
    "too_short": "holds {actual_length} of at least {min_length}",
    "too_long": "holds {actual_length}: {max_length} at most at once",
    "greater_than_equal": "must be {ge} or more",
    "less_than_equal": "must be {le} or less",
    "missing": "is missing",
    "extra_forbidden": "is not a key of this file",
}
_EMPTY = {"string_too_short": "must not be empty", "too_short": "must not be empty"}


def formed(pattern: str, words: str) -> AfterValidator:
    """For a text that matches the whole pattern; words: what it must be, behind `must be`."""
    form = re.compile(pattern)

    def check(text: str) -> str:
        if not form.fullmatch(text):
            raise PydanticCustomError(_FORM, "{words}", {"words": f"must be {words}"})
        return text

    return AfterValidator(check)


#: Names of keys, projects, people, groups, targets.
NAME = formed(
    r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}",
    "a name: letters, digits, '.', '_' and '-', the first a letter or digit, 64 characters at most",
)


def wrong_value(path: Path, problem: ErrorDetails) -> str:
    """A sentence about one problem that pydantic found (`ValidationError.errors()`, with its context)."""
    where = dotted(path)
    return f"{where!r}{_told(problem)}." if where else f"{_told(problem).removeprefix(': ').lstrip()}."


def dotted(path: Path) -> str:
    """`project.sdk.sign.0`"""
    return ".".join(str(part) for part in path)


def first_problem(
    problems: Sequence[ErrorDetails], line_of: Callable[[Path], int], *, skip: Sequence[str] = ()
) -> tuple[int, Path, ErrorDetails]:
    """The problem of the earliest line, with line and path. skip: parts of pydantic's paths that no file has."""
    found = [(tuple(part for part in one["loc"] if part not in ("[key]", *skip)), one) for one in problems]
    path, problem = min(found, key=lambda pair: line_of(pair[0]))
    return line_of(path), path, problem


def _told(problem: ErrorDetails) -> str:
    kind, context = problem["type"], problem.get("ctx", {})
    if kind == "value_error":
        return f": {problem['msg'].removeprefix('Value error, ')}"
    if kind == _FORM:
        return f" {problem['msg']}"
    if kind in _EMPTY and context.get("min_length") == 1:
        return f" {_EMPTY[kind]}"
    return f" {_WORDS.get(kind, 'has a value that does not fit').format_map(_Plain(context))}"


class _Plain(dict[str, Any]):
    """Large numbers as people read them."""

    def __getitem__(self, name: str) -> Any:
        value = super().__getitem__(name)
        return f"{value:,}" if isinstance(value, int) else value
