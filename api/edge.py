"""The outermost layer: every request passes it once on its way in and once on its way out, but for those that take the
short way (api.short_way).

1. names the request (`Hsmpub-Request-Id`), 2. throttles by address, 3. turns every error into a problem document,
4. counts and logs the answer.
"""

from __future__ import annotations

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.body import ClientGone
from api.linger import LingeringBody
from api.logs import where
from api.problem import InternalFault, problem_of, problem_response
from api.records import REQUEST_ID, Records
from api.throttle import Throttle, asker
from hsmpub.errors import HsmpubError

NO_SNIFF = (b"x-content-type-options", b"nosniff")


class Edge:
    """Args:
    app: the layer below. throttle: by address. records: where answers are counted and logged.
    """

    def __init__(self, app: ASGIApp, *, throttle: Throttle, records: Records) -> None:
        self._app = app
        self._throttle = throttle
        self._records = records

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.perf_counter()
        name = self._records.name()
        status = 0
        rule = fault = ""
        body = LingeringBody(receive) if scope["method"] == "PUT" else None

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if body is not None and status >= 400:
                    await body.drain()
                message["headers"] = [*message["headers"], (REQUEST_ID, name.encode()), NO_SNIFF]
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
            route, seconds = getattr(scope.get("route"), "path", "unmatched"), time.perf_counter() - begun
            self._records.answered(name, scope["method"], route, status or 500, seconds, rule=rule, fault=fault)
