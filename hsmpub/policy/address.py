"""Addresses in a policy: URLs of issuers and targets, names of tags."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from hsmpub.policy.refusals import TagRefused, UrlRefused

LOOPBACK_HOSTS = ("127.0.0.1", "::1", "localhost")
_PLAIN_URL = re.compile(
    r"https?://(?:[A-Za-z0-9.-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~%!$&'()*+,;=:-]*)*"
)
_TAG = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9._/+-]{0,80})?\{version\}(?:[A-Za-z0-9._+-]{0,40})")


def check_url(url: str, loopback: bool, *, line: int) -> None:
    """Nothing but scheme, host, port and path; https, or http to this very machine where the table says `loopback`.

    Raises UrlRefused. Which addresses a host name has is for the courier to vet when it connects.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port  # the port's range is checked on access
    except ValueError:
        raise UrlRefused("the URL cannot be read.", line=line) from None
    if not _PLAIN_URL.fullmatch(url) or {".", ".."} & set(parts.path.split("/")):
        raise UrlRefused("the URL holds more than https, host, port and plain path, or less.", line=line)
    if host in LOOPBACK_HOSTS and not loopback:
        raise UrlRefused("the URL leads to this machine itself.", line=line)
    if parts.scheme == "http" and host not in LOOPBACK_HOSTS:
        raise UrlRefused("the URL is not https.", line=line)


def check_tag(tag: str, *, line: int) -> None:
    """A name that git takes, with `{version}` in it once. Raises TagRefused. Source: git-check-ref-format(1)."""
    unsafe = ".." in tag or "//" in tag or "/." in tag or "./" in tag or tag.endswith((".", ".lock"))
    if unsafe or not _TAG.fullmatch(tag):
        raise TagRefused(f"The tag {tag!r} is not a plain name with one {{version}} in it.", line=line)
