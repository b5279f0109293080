"""The address of a target or issuer, taken apart."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from hsmpub.targets.target import SettingsMalformed


@dataclass(frozen=True)
class Place:
    """A URL taken apart. path starts with a slash and has no query."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def origin(self) -> tuple[str, str, int]:
        return self.scheme, self.host, self.port


def load_place(url: str, *, loopback: bool) -> Place:
    """A URL that may be a target's: https (http too with `loopback`), no user, query or fragment.

    Raises:
        SettingsMalformed: anything else.
    """
    plain = url.isascii() and url.isprintable() and " " not in url and "\\" not in url
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        plain = False
    if not plain or not parts.hostname or parts.scheme not in ({"https", "http"} if loopback else {"https"}):
        raise SettingsMalformed("A target's address must be a plain https URL.")
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise SettingsMalformed("A target's address may hold no user, query or fragment.")
    return Place(parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80), parts.path or "/")
