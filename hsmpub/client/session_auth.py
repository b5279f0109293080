"""A CI session for any client that sends by httpx, such as one that was generated from the OpenAPI document."""

from __future__ import annotations

from collections.abc import Generator

import httpx

from hsmpub.client.session import CiSession


class SessionAuth(httpx.Auth):
    """Authenticates the exact bytes of each body that is sent, as hsmpub.client.asks.ci does for its own."""

    requires_request_body = True

    def __init__(self, session: CiSession) -> None:
        self._session = session

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers.update(self._session.headers(request.content))
        yield request
