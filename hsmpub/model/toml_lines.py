"""TOML text with the line of every key, so that a refusal can point at it.

`tomllib` says what a file means and drops where it says so. `load_toml` lets `tomllib` decide what is valid, then
walks the valid text once more to note lines.
Source: TOML v1.0.0.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hsmpub.errors import Invalid
from hsmpub.model.toml_walk import Path, Walk

#: An adopted file must fit into one log entry, next to its digest and with JSON escapes.
MAX_TOML_BYTES = 48 * 1024
#: Parsers take time with the cube of a dotted key's length: 48 KiB of `a.a.a…` would hold the keeper up for a minute.
MAX_DOTS = 16
_PART = r"""(?:(?<![A-Za-z0-9_-])[A-Za-z0-9_-]++|"[^"\n]*+"|'[^'\n]*+')"""
_DEEP = re.compile(rf"(?:{_PART}[ \t]*+\.[ \t]*+){{{MAX_DOTS}}}")


class InFile(Invalid):
    """A refusal of a file that people write. `line` counts from 1."""

    def __init__(self, detail: str, *, line: int, file: str, next_step: str | None = None) -> None:
        super().__init__(f"Line {line} of the {file}: {detail}", next_step=next_step)
        self.line = line


class TomlSyntax(InFile):
    advice = "Correct the line: it is not TOML, or it says the same key twice."


class InvisibleCharacter(InFile):
    advice = "Remove the character: those who approve the text could not see it."


class FileTooLong(InFile):
    advice = f"Keep the file under {MAX_TOML_BYTES:,} bytes: it is one entry of the log."


@dataclass(frozen=True)
class TomlText:
    """data: what the file means; lines: path of keys and list positions → line, from 1."""

    data: dict[str, Any]
    lines: Mapping[Path, int]

    def line_of(self, path: Iterable[str | int]) -> int:
        """The line of a path, or of the nearest thing around it that the file has."""
        known = tuple(path)
        while known and known not in self.lines:
            known = known[:-1]
        return self.lines.get(known, 1)


def load_toml(text: str, *, file: str) -> TomlText:
    """What a TOML file says, and where.

    Args:
        text: the whole file.
        file: what the file is called in a refusal: `policy`, `roster`.

    Raises:
        FileTooLong, InvisibleCharacter, TomlSyntax: each with the line.
    """
    if len(text.encode("utf-8", "surrogatepass")) > MAX_TOML_BYTES:
        raise FileTooLong("the file does not end in time.", line=1 + text.count("\n"), file=file)
    _check_visible(text, file)
    deep = _DEEP.search(text)
    if deep is not None:
        line = 1 + text.count("\n", 0, deep.start())
        raise TomlSyntax(f"a name has more than {MAX_DOTS} parts.", line=line, file=file)
    text = text.replace("\r\n", "\n")
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        where = re.search(r"\(at line (\d+), column \d+\)$", str(e))
        line = int(where[1]) if where else 1 + text.count("\n")
        reason = re.sub(r" \(at [^()]*\)$", "", str(e))
        raise TomlSyntax(f"{reason}.", line=line, file=file) from None
    except RecursionError:
        raise TomlSyntax("brackets are nested too deeply.", line=1, file=file) from None
    return TomlText(data, Walk(text).lines())


def _check_visible(text: str, file: str) -> None:
    """Text direction marks, zero-width and unassigned characters make a text read unlike what it says."""
    for at, char in enumerate(text):
        if char not in "\n\r\t" and unicodedata.category(char) in ("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"):
            line = text.count("\n", 0, at) + 1
            raise InvisibleCharacter(f"it holds the invisible character U+{ord(char):04X}.", line=line, file=file)
