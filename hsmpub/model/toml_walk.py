"""Notes the line of every key and list item of TOML text that `tomllib` found valid.

Source: TOML v1.0.0.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field

#: Keys, and positions in lists, from the outside in.
Path = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}' r"|'''.*?'{3,5}" r'|"(?:[^"\\\n]|\\.)*"' r"|'[^'\n]*'",
    re.DOTALL,
)
_SCALAR = re.compile(r"[^,\]}\n#]*")


@dataclass
class Walk:
    """One pass over valid text; `lines` may be called once."""

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

    def _items(self, close: str, item: Callable[[int], None]) -> None:
        self.at += 1
        count = 0
        while self._skip() and self.text[self.at] != close:
            item(count)
            count += 1
            self._skip()
            if self.text[self.at] == ",":
                self.at += 1
        self.at += 1
