"""The service's address, and whom to trust there: the same for every way of sending."""

from __future__ import annotations

import ssl
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx

from hsmpub.client.steps import AnswerNotUnderstood
from hsmpub.errors import Invalid, Unavailable

#: More than that no answer of the service has.
_MOST_BYTES = 64 * 1024 * 1024


class ServiceUnreachable(Unavailable):
    advice = "Check the address (--url or HSMPUB_URL) and whether the service runs; then try again."


class AddressRefused(Invalid):
    advice = "Use https://…; plain http:// is for 127.0.0.1 only."


class CaFileUnusable(Invalid):
    advice = "Name a file of certificates in PEM with --ca-file or HSMPUB_CA_FILE."


def options(url: str, ca_file: Path | None, timeout: float) -> dict[str, Any]:
    """How httpx is set up: no redirects, no proxies from the environment.

    Args:
        url: of the service, without a path of the API. ca_file: certificates to trust instead of the usual ones, PEM.
        timeout: seconds for one step of a call (connect, send, wait for the next bytes).

    Raises:
        AddressRefused, CaFileUnusable.
    """
    check_address(url)
    verify: ssl.SSLContext | bool = trusting(ca_file) if ca_file else True
    return {"base_url": url.rstrip("/"), "verify": verify, "trust_env": False, "follow_redirects": False,
            "timeout": timeout}  # fmt: skip


def check_address(url: str) -> None:
    """Raises AddressRefused: not HTTPS, and not on this machine."""
    try:
        parts = httpx.URL(url)
    except httpx.InvalidURL:
        raise AddressRefused("The service's address is no URL.") from None
    if parts.scheme == "https" and parts.host:
        return
    if parts.scheme != "http" or not is_loopback(parts.host):
        raise AddressRefused(f"{url!r} is neither https:// nor on this machine.")


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def add_piece(held: bytearray, piece: bytes) -> None:
    """Raises AnswerNotUnderstood: the answer does not end."""
    held += piece
    if len(held) > _MOST_BYTES:
        raise AnswerNotUnderstood("The service's answer does not end.")


def unreachable(url: str, error: httpx.TransportError) -> ServiceUnreachable:
    return ServiceUnreachable(f"{url} does not answer: {silence_of(error)}.")


def silence_of(error: httpx.HTTPError | httpx.InvalidURL) -> str:
    """Why somebody does not answer, in words."""
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return "no CA that is trusted here vouches for its certificate"
    if isinstance(error, httpx.TimeoutException):
        return "nothing came in time"
    if isinstance(error, httpx.ConnectError):
        return "no connection can be made"
    return "the connection broke, or what came over it was no answer"


def trusting(ca_file: Path) -> ssl.SSLContext:
    """Raises CaFileUnusable."""
    try:
        return ssl.create_default_context(cafile=str(ca_file))
    except OSError as e:  # an SSLError is one, too
        why = "it holds no certificates in PEM" if isinstance(e, ssl.SSLError) else e.strerror
        raise CaFileUnusable(f"{ca_file} cannot be used: {why}.") from None
