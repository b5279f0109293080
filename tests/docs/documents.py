"""The documents as the tests read them: lines of code blocks, tables, links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).parents[2]
PAGES = sorted([*PROJECT.glob("*.md"), *PROJECT.glob("docs/**/*.md")])
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`\n]+)`")
_SHELL = ("", "sh", "yaml")


def name_of(page: Path) -> str:
    return str(page.relative_to(PROJECT))


def prose(page: Path) -> str:
    """The text without its code blocks."""
    return _FENCE.sub("", page.read_text())


def spans(page: Path) -> list[str]:
    """What stands between backticks in the text."""
    return _SPAN.findall(prose(page))


def shell_lines(page: Path) -> Iterator[str]:
    """Lines that people copy into a shell or a CI file, continued ones joined."""
    for language, block in _FENCE.findall(page.read_text()):
        if language in _SHELL:
            yield from block.replace("\\\n", " ").splitlines()


def table_rows(page: Path, first_heading: str) -> Iterator[list[str]]:
    """Cells of every row of the tables whose first column has this heading."""
    inside = False
    for line in prose(page).splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.startswith("|") else []
        if not cells:
            inside = False
        elif cells[0] == first_heading:
            inside = True
        elif inside and not set(cells[0]) <= set("-: "):
            yield cells
