"""The short way of a signing request: from the connection to the keeper and back, with no task and no layer between.

It does for such a request what the edge does for the others: names it, throttles by address, puts every error into a
problem document, counts and logs the answer. What it saves is half of the front's time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from api.edge import NO_SNIFF
from api.front import Front
from api.headers import RawHeaders
from api.logs import where
from api.problem import InternalFault, problem_of, problem_response
from api.records import REQUEST_ID, Records
from api.routes.sign import SignRoute
from api.throttle import asker
from hsmpub.errors import HsmpubError
from hsmpub.wire.messages import FrontReply, Submit

#: Takes the head of an answer, but for its end and what the connection adds, and the body.
Answer = Callable[[bytes, bytes], None]


class ShortWay:
    """Of one front. route: the one that is short."""

    def __init__(self, front: Front, records: Records, route: SignRoute) -> None:
        self.route = route
        self.is_open = True
        self._front = front
        self._records = records
        self._url = route.path.encode()
        self._granted = STATUS_LINE[200] + header_lines((*route.headers, NO_SNIFF))

    def leads(self, url: bytes, method: bytes) -> bool:
        """Whether this request may take it now. Without a keeper that takes messages, it may not."""
        return url == self._url and method == b"POST" and self.is_open and self._front.keeper.is_ready

    def take(self, headers: RawHeaders, client: tuple[str, int] | None, body: bytes, answer: Answer) -> None:
        """Passes a whole request on. `answer` is called once, now or later."""
        request = _Request(self, answer)
        try:
            self._front.by_address.check(asker(client))
            self._front.keeper.post(Submit(*self.route.admit(headers, client), body), request.done)
        except HsmpubError as e:
            request.done(e)
        except Exception as e:
            request.fail(e)

    def refuse(self, error: HsmpubError, answer: Answer) -> None:
        """Answers a request that came to nothing."""
        _Request(self, answer).done(error)


class _Request:
    """One that is under way."""

    __slots__ = ("_answer", "_began", "_name", "_way")

    def __init__(self, way: ShortWay, answer: Answer) -> None:
        self._way = way
        self._answer = answer
        self._began = time.perf_counter()
        self._name = way._records.name()

    def done(self, reply: FrontReply | HsmpubError) -> None:
        """Answers; whatever happens here harms no other request."""
        try:
            if isinstance(reply, HsmpubError):
                self._refuse(reply)
            else:
                self._give(self._way._granted, self._way.route.content(reply))
                self._record(200)
        except Exception as e:
            self.fail(e)

    def fail(self, error: Exception) -> None:
        """Answers a request that met what nobody expected."""
        self._refuse(InternalFault("The front met an unexpected fault."), where(error))

    def _refuse(self, error: HsmpubError, fault: str = "") -> None:
        response = problem_response(error, self._way.route.path)
        others = [(name, value) for name, value in response.raw_headers if name != b"content-length"]
        self._give(STATUS_LINE[response.status_code] + header_lines((*others, NO_SNIFF)), bytes(response.body))
        self._record(response.status_code, problem_of(error)[0].rule, fault)

    def _give(self, head: bytes, content: bytes) -> None:
        self._answer(
            b"%b%b: %b\r\ncontent-length: %d\r\n" % (head, REQUEST_ID, self._name.encode(), len(content)), content
        )

    def _record(self, status: int, rule: str = "", fault: str = "") -> None:
        path, seconds = self._way.route.path, time.perf_counter() - self._began
        self._way._records.answered(self._name, "POST", path, status, seconds, rule=rule, fault=fault)


def header_lines(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Headers as they travel, a line each."""
    return b"".join(b"%b: %b\r\n" % header for header in headers)
