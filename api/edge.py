"""The outermost layer: every request passes it once on its way in and once on its way out.

1. names the request (`Hsmpub-Request-Id`), 2. throttles by address, 3. turns every error into a problem document,
4. counts and logs the answer. Plain ASGI, since a signing request pays for every layer.
"""

from __future__ import annotations

import os
import time
from itertools import count

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.body import ClientGone
from api.linger import LingeringBody
from api.logs import JsonLog, RequestLine, where
from api.metrics import Metrics
from api.problem import InternalFault, problem_of, problem_response
from api.throttle import Throttle, asker
from hsmpub.errors import HsmpubError
from hsmpub.model.clock import rfc3339

REQUEST_ID = b"hsmpub-request-id"
_NO_SNIFF = (b"x-content-type-options", b"nosniff")


class Edge:
    """Args:
    app: the layer below. throttle: by address. metrics, log: where answers are counted and written.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        throttle: Throttle,
        metrics: Metrics,
        log: JsonLog,
    ) -> None:
        self._app = app
        self._throttle = throttle
        self._metrics = metrics
        self._log = log
        self._prefix = os.urandom(6).hex()
        self._count = count(1)
        self._second = (0, "")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.perf_counter()
        name = f"{self._prefix}-{next(self._count):x}"
        status = 0
        rule = fault = ""
        body = LingeringBody(receive) if scope["method"] == "PUT" else None

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if body is not None and status >= 400:
                    await body.drain()
                message["headers"] = [*message["headers"], (REQUEST_ID, name.encode()), _NO_SNIFF]
            await send(message)

        try:
            try:
                self._throttle.check(asker(scope.get("client")))
                await self._app(scope, body or receive, observed)
            except HsmpubError as e:
                rule = problem_of(e)[0].rule
                if status:  # too late for a document: end the connection, so that nobody takes a part for the whole
                    raise
                await problem_response(e, scope["path"])(scope, receive, observed)
            except ClientGone:
                rule, status = "client-gone", status or 499
            except Exception as e:
                rule, fault = "internal-fault", where(e)
                if status:
                    raise
                unexpected = InternalFault("The front met an unexpected fault.")
                await problem_response(unexpected, scope["path"])(scope, receive, observed)
        finally:
            self._record(scope, name, status or 500, rule, fault, time.perf_counter() - begun)

    def _record(self, scope: Scope, name: str, status: int, rule: str, fault: str, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        self._metrics.observe(route, status, rule, seconds)
        line = RequestLine(
            self._now(), "request", name, scope["method"], route, status, round(seconds * 1000, 2), rule,
            fault,
        )  # fmt: skip
        self._log.write(line)

    def _now(self) -> str:
        """The time, written out once a second."""
        second = int(time.time())
        if second != self._second[0]:
            self._second = second, rfc3339(second)
        return self._second[1]
