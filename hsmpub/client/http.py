"""HTTP to the front: no redirects, no proxies from the environment, problem documents turned back into errors."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeVar

import httpx
import msgspec

from hsmpub.errors import FAMILIES, Broken, Invalid, Problem, Refused, Unavailable

T = TypeVar("T")
_MOST = 64 * 1024 * 1024
_RULE = "urn:hsmpub:rule:"


class ServiceUnreachable(Unavailable):
    advice = "Check the address (--url or HSMPUB_URL) and whether the service runs; then try again."


class AnswerNotUnderstood(Unavailable):
    advice = "See whether --url names the service itself, and not something before it that failed."
    retry_is_safe = False


class AddressRefused(Invalid):
    advice = "Use https://…; plain http:// is for 127.0.0.1 only."


class CaFileUnusable(Invalid):
    advice = "Name a file of certificates in PEM with --ca-file or HSMPUB_CA_FILE."


class _Document(msgspec.Struct):
    type: str
    detail: str
    family: str = ""
    next_step: str = ""
    retry: bool = False


class Http:
    """One service.

    Args:
        url: its address, without a path of the API.
        ca_file: certificates to trust instead of the usual ones, in PEM.
        timeout: seconds for one step of a call (connect, send, wait for the next bytes).
    """

    def __init__(self, url: str, *, ca_file: Path | None = None, timeout: float = 90.0) -> None:
        check_address(url)
        verify: ssl.SSLContext | bool = trusting(ca_file) if ca_file else True
        self.url = url.rstrip("/")
        self._client = httpx.Client(
            base_url=self.url, verify=verify, trust_env=False, follow_redirects=False, timeout=timeout
        )

    def call(self, method: str, path: str, decoder: msgspec.json.Decoder[T], *, content: bytes | None = None,
             headers: Mapping[str, str] | None = None, params: Mapping[str, Any] | None = None) -> T:  # fmt: skip
        """Sends and decodes one JSON answer. Raises as `raw` does."""
        answer = self.raw(method, path, content=content, headers=headers, params=params)
        try:
            return decoder.decode(answer)
        except msgspec.MsgspecError:
            raise AnswerNotUnderstood("The service answered something unexpected.") from None

    def raw(self, method: str, path: str, *, content: bytes | Iterable[bytes] | None = None,
            headers: Mapping[str, str] | None = None, params: Mapping[str, Any] | None = None) -> bytes:  # fmt: skip
        """Sends and returns the answer's exact bytes.

        Raises:
            Refused: the service's own refusal, with its sentences.
            ServiceUnreachable, AnswerNotUnderstood.
        """
        with self.stream(method, path, content=content, headers=headers, params=params) as answer:
            held = bytearray()
            for piece in answer.iter_bytes():
                held += piece
                if len(held) > _MOST:
                    raise AnswerNotUnderstood("The service's answer does not end.")
            return bytes(held)

    @contextmanager
    def stream(self, method: str, path: str, *, content: bytes | Iterable[bytes] | None = None,
               headers: Mapping[str, str] | None = None,
               params: Mapping[str, Any] | None = None) -> Iterator[httpx.Response]:  # fmt: skip
        """A successful answer, not yet read. Raises as `raw` does."""
        try:
            with self._client.stream(method, path, content=content, headers=headers, params=params) as answer:
                if answer.status_code >= 300:
                    raise _refusal(answer)
                yield answer
        except httpx.TransportError as e:
            raise ServiceUnreachable(f"{self.url} does not answer ({type(e).__name__}).") from None

    def exists(self, path: str) -> bool:
        """Whether a HEAD finds it."""
        try:
            answer = self._client.head(path)
        except httpx.TransportError as e:
            raise ServiceUnreachable(f"{self.url} does not answer ({type(e).__name__}).") from None
        return answer.status_code == 200

    def close(self) -> None:
        self._client.close()


def _refusal(answer: httpx.Response) -> Exception:
    data = b"".join(piece for piece, _ in zip(answer.iter_bytes(65_536), range(4), strict=False))
    try:
        told = msgspec.json.decode(data, type=_Document)
    except msgspec.MsgspecError:
        return AnswerNotUnderstood(f"The service answered {answer.status_code} without saying why.")
    family = told.family if told.family in FAMILIES else Broken.family
    return Refused(Problem(family, told.type.removeprefix(_RULE), told.detail, told.next_step, told.retry))


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


def trusting(ca_file: Path) -> ssl.SSLContext:
    """Raises CaFileUnusable."""
    try:
        return ssl.create_default_context(cafile=str(ca_file))
    except OSError as e:  # an SSLError is one, too
        why = "it holds no certificates in PEM" if isinstance(e, ssl.SSLError) else e.strerror
        raise CaFileUnusable(f"{ca_file} cannot be used: {why}.") from None
