"""One host, vetted once: the only way out of a courier's child.

The host comes from signed configuration. Its name is resolved once, the address is vetted (hsmpub.targets.address)
and it is that address which is connected to, with TLS for the host's name. Nothing follows a redirect, nothing reads
proxy variables, every answer is bounded in time and size. A secret is a header line given as a bytearray.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
from collections.abc import Iterable, Iterator, Mapping

from hsmpub.errors import Forbidden, HsmpubError, Unavailable
from hsmpub.targets.address import vetted_addresses
from hsmpub.targets.bounded import BoundedReader, Deadline
from hsmpub.targets.place import Place
from hsmpub.targets.target import OutcomeUnknown, SettingsMalformed, TargetUnreachable

#: Line and headers of an answer may take this much beyond the cap of its body.
_HEAD_BYTES = 64 * 1024
_CHUNK = 256 * 1024
_WORDS = 64 * 1024


class TargetRedirects(Forbidden):
    advice = "Redirects are never followed; put the final address into the policy if it is the right one."


class AnswerMalformed(Unavailable):
    advice = "The target does not speak HTTP as it should; look at it before you go on."
    retry_is_safe = False


class Answer:
    """Status and body of one response, while its connection is open. Header names are lower case."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self._response = response
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}

    def chunks(self, *, shows_its_end: bool = False) -> Iterator[bytes]:
        """The body in pieces, to its announced end: a page that breaks off must not look like a page without the file.

        Args:
            shows_its_end: what it holds cannot be read if a part is missing, so the end of the connection may be its
                end. Source: RFC 9112, 6.3.

        Raises:
            AnswerMalformed: it breaks off, or announces no end. AnswerTooLarge, TimeoutError.
        """
        response = self._response
        if response.length is None and not response.chunked and not shows_its_end:
            raise AnswerMalformed("The answer does not say how long it is.")
        try:
            while chunk := response.read(_CHUNK):
                yield chunk
        except (http.client.HTTPException, ValueError):
            raise AnswerMalformed("The answer breaks off, or is no HTTP.") from None
        if response.length:
            raise AnswerMalformed("The answer breaks off.")

    def read(self, *, shows_its_end: bool = False) -> bytes:
        """The whole body; as `chunks`."""
        return b"".join(self.chunks(shows_its_end=shows_its_end))

    def words(self) -> bytes:
        """What there is of the body of a refusal; its status counts, whatever the body is like."""
        with contextlib.suppress(OSError, HsmpubError, http.client.HTTPException, ValueError):
            return self._response.read(_WORDS)
        return b""

    def close(self) -> None:
        """Before the connection: a response that is left to itself complains when it is cleared away."""
        self._response.close()


class PinnedHost:
    """Requests to one vetted host.

    Args:
        place: scheme, host and port; loopback: allows this machine, and nothing else.
        timeout: seconds that one operation may take; lifetime: seconds for one request in all.

    Raises:
        AddressForbidden, TargetUnreachable: when made, since the name is resolved then, once.
    """

    def __init__(self, place: Place, *, loopback: bool, timeout: float, lifetime: float) -> None:
        self.place = place
        self._timeout = timeout
        self._lifetime = lifetime
        self._addresses = vetted_addresses(place.host, place.port, loopback=loopback)

    def _connect(self, deadline: Deadline) -> socket.socket:
        for address in self._addresses:
            with contextlib.suppress(OSError):
                sock = socket.create_connection((address, self.place.port), timeout=deadline.next())
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return sock if self.place.scheme == "http" else self._secured(sock)
        raise TargetUnreachable(f"No connection to {self.place.host!r}.")

    def _secured(self, sock: socket.socket) -> socket.socket:
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            return context.wrap_socket(sock, server_hostname=self.place.host)
        except ssl.SSLCertVerificationError:
            sock.close()
            raise TargetUnreachable(f"The certificate of {self.place.host!r} is not valid for it.") from None
        except OSError:
            sock.close()
            raise

    @contextlib.contextmanager
    def request(self, method: str, path: str, *, cap: int, headers: Mapping[str, str] | None = None,
                secret: bytearray | None = None, body: Iterable[bytes] = (), length: int | None = None,
                lifetime: float | None = None) -> Iterator[Answer]:  # fmt: skip
        """One request on a connection of its own.

        Args:
            path: with its query, already encoded. cap: bytes that the body of the answer may have.
            secret: one whole header line without its end; the caller wipes it.
            body: pieces of exactly `length` bytes together; None means no body.

        Raises:
            TargetUnreachable: nothing was sent. OutcomeUnknown: something was, and no answer came.
            TargetRedirects, AnswerTooLarge, AnswerMalformed.
        """
        deadline = Deadline(lifetime or self._lifetime, self._timeout)
        with contextlib.closing(self._connect(deadline)) as sock:
            answer = self._exchange(sock, deadline, method, self._head(method, path, headers or {}, length),
                                    secret, body, cap)  # fmt: skip
            try:
                yield answer
            except OSError:
                raise OutcomeUnknown(f"The answer of {self.place.host!r} broke off.") from None
            finally:
                answer.close()

    def _head(self, method: str, path: str, headers: Mapping[str, str], length: int | None) -> bytes:
        name = f"[{self.place.host}]" if ":" in self.place.host else self.place.host
        default = self.place.port == (443 if self.place.scheme == "https" else 80)
        lines = [f"{method} {path} HTTP/1.1", f"Host: {name if default else f'{name}:{self.place.port}'}",
                 "Connection: close", "Accept-Encoding: identity", "User-Agent: hsmpub"]  # fmt: skip
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if length is not None:
            lines.append(f"Content-Length: {length}")
        if any("\r" in line or "\n" in line or not line.isascii() for line in lines):
            raise SettingsMalformed("A request line or header would hold a line break.")
        return "\r\n".join(lines).encode() + b"\r\n"

    def _exchange(self, sock: socket.socket, deadline: Deadline, method: str, head: bytes, secret: bytearray | None,
                  body: Iterable[bytes], cap: int) -> Answer:  # fmt: skip
        def send(data: bytes | bytearray) -> None:
            sock.settimeout(deadline.next())
            sock.sendall(data)

        try:
            send(head)
            if secret is not None:
                send(secret)
                send(b"\r\n")
            send(b"\r\n")
            # a server may answer early and close: what it says is worth more than the broken pipe
            with contextlib.suppress(ConnectionError):
                for chunk in body:
                    send(chunk)
            return self._answer(BoundedReader(sock, deadline, cap + _HEAD_BYTES), method)
        except OSError:
            raise OutcomeUnknown(f"No answer from {self.place.host!r}.") from None
        except (http.client.HTTPException, ValueError):
            raise AnswerMalformed(f"What {self.place.host!r} answers is no HTTP.") from None

    def _answer(self, reader: BoundedReader, method: str) -> Answer:
        """Status and headers read. Raises TargetRedirects, and what http.client raises."""
        response = http.client.HTTPResponse(reader, method=method)  # type: ignore[arg-type]  # only makefile is used
        try:
            response.begin()
            if 300 <= response.status < 400:
                raise TargetRedirects(f"The host {self.place.host!r} redirects (status {response.status}).")
            return Answer(response)
        except BaseException:
            response.close()
            raise
