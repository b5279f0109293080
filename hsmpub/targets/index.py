"""Reads a simple index of Python packages: which digest does it show for a file?

Sources: PEP 503 (HTML), PEP 691 (JSON).
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from urllib.parse import unquote, urldefrag, urlsplit

import msgspec

from hsmpub.model.digest import is_sha256_hex
from hsmpub.targets.pinned import AnswerMalformed

#: What to ask for, JSON first.
ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"


class Listed(msgspec.Struct, frozen=True):
    """A file as the index lists it. sha256: hex, or empty when the index shows none; url: as written there."""

    sha256: str
    url: str


class _File(msgspec.Struct):
    filename: str
    url: str
    hashes: dict[str, str]


class _Page(msgspec.Struct):
    files: list[_File]


class _Anchors(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.links += [value for name, value in attrs if name == "href" and value]


def normal_name(name: str) -> str:
    """A project's name as an index spells it. Source: PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


def find_file(body: bytes, content_type: str, filename: str) -> Listed | None:
    """The file's entry in one project's page; None when the page does not list it.

    Raises:
        AnswerMalformed: no such page, or it lists the file twice with different digests.
    """
    found = _from_json(body, filename) if "json" in content_type.lower() else _from_html(body, filename)
    if len({listed.sha256 for listed in found}) > 1:
        raise AnswerMalformed(f"The index lists {filename!r} twice, with different digests.")
    return found[0] if found else None


def _from_json(body: bytes, filename: str) -> list[Listed]:
    try:
        page = msgspec.json.decode(body, type=_Page)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise AnswerMalformed("The index's page is not the JSON that it says it is.") from None
    return [
        Listed(_digest(f.hashes.get("sha256", "")), f.url) for f in page.files if f.filename == filename
    ]  # fmt: skip


def _from_html(body: bytes, filename: str) -> list[Listed]:
    parser = _Anchors()
    try:
        parser.feed(body.decode())
        links = [(urldefrag(link), link) for link in parser.links]
        return [
            Listed(_digest(parts.fragment.removeprefix("sha256=")), link)
            for parts, link in links
            if unquote(urlsplit(parts.url).path).rpartition("/")[2] == filename
        ]
    except (ValueError, AssertionError):
        raise AnswerMalformed("The index's page is no HTML.") from None


def _digest(text: str) -> str:
    return text.lower() if is_sha256_hex(text.lower()) else ""
