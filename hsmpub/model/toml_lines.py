"""TOML text with the line of every key, so that a refusal can point at it.

`tomllib` says what a file means and drops where it says so. `load_toml` lets `tomllib` decide what is valid, then
walks the valid text once more to note lines.
Source: TOML v1.0.0.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hsmpub.errors import Invalid

#: An adopted file must fit into one log entry, next to its digest and with JSON escapes.
MAX_TOML_BYTES = 48 * 1024

Path = tuple[str | int, ...]


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
    return TomlText(data, _Walk(text).lines())


def _check_visible(text: str, file: str) -> None:
    """Text direction marks, zero-width and unassigned characters make a text read unlike what it says."""
    for at, char in enumerate(text):
        if char not in "\n\r\t" and unicodedata.category(char) in ("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"):
            line = text.count("\n", 0, at) + 1
            raise InvisibleCharacter(f"it holds the invisible character U+{ord(char):04X}.", line=line, file=file)


_BLANK = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}' r"|'''.*?'{3,5}" r'|"(?:[^"\\\n]|\\.)*"' r"|'[^'\n]*'",
    re.DOTALL,
)
_SCALAR = re.compile(r"[^,\]}\n#]*")


@dataclass
class _Walk:
    """One pass over text that `tomllib` found valid."""

    text: str
    at: int = 0
    found: dict[Path, int] = field(default_factory=dict)
    tables: dict[Path, int] = field(default_factory=dict)  # arrays of tables → how many so far

    def lines(self) -> dict[Path, int]:
        self.starts = [m.end() for m in re.finditer("\n", self.text)]
        table: Path = ()
        while self._skip():
            if self.text[self.at] == "[":
                table = self._header()
            else:
                self._pair(table)
        return self.found

    def _skip(self) -> bool:
        """Past blanks, newlines and comments; False at the end."""
        self._take(_BLANK)
        return self.at < len(self.text)

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.at)
        assert match is not None  # tomllib accepted the text
        self.at = match.end()
        return match[0]

    def _note(self, path: Path) -> None:
        self.found.setdefault(path, bisect_right(self.starts, self.at) + 1)

    def _header(self) -> Path:
        many = self.text.startswith("[[", self.at)
        start = self.at
        self.at += 1 + many
        keys = self._keys()
        end, self.at = self.at, start
        path: Path = ()
        for i, key in enumerate(keys):
            path += (key,)
            self._note(path)
            if many and i == len(keys) - 1:
                self.tables[path] = self.tables.get(path, 0) + 1
            if path in self.tables:
                path += (self.tables[path] - 1,)
                self._note(path)
        self._skip_to(end, "]]" if many else "]")
        return path

    def _skip_to(self, at: int, mark: str) -> None:
        self.at = at
        self._skip()
        self.at += len(mark)

    def _keys(self) -> list[str]:
        keys = []
        while True:
            self._skip()
            if self.text[self.at] in "\"'":
                keys.append(tomllib.loads(f"k = {self._take(_STRING)}")["k"])
            else:
                keys.append(self._take(_BARE))
            self._skip()
            if not self.text.startswith(".", self.at):
                return keys
            self.at += 1

    def _pair(self, table: Path) -> None:
        start = self.at
        keys = self._keys()
        end, self.at = self.at, start
        path = table
        for key in keys:
            path += (key,)
            self._note(path)
        self._skip_to(end, "=")
        self._value(path)

    def _value(self, path: Path) -> None:
        self._skip()
        self._note(path)
        match self.text[self.at]:
            case '"' | "'":
                self._take(_STRING)
            case "[":
                self._items("]", lambda i: self._value((*path, i)))
            case "{":
                self._items("}", lambda _: self._pair(path))
            case _:
                self._take(_SCALAR)

    def _items(self, close: str, item: Any) -> None:
        self.at += 1
        count = 0
        while self._skip() and self.text[self.at] != close:
            item(count)
            count += 1
            self._skip()
            if self.text[self.at] == ",":
                self.at += 1
        self.at += 1
