"""What the routes share: the channel to the keeper, the log as it is served, the uploads, and the caps."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import msgspec
from starlette.requests import Request

from api.body import json_body
from api.logs import JsonLog
from api.metrics import Metrics
from api.served_log import ServedLog
from api.sessions import Sessions
from api.settings import Settings
from api.throttle import Throttle, asker
from api.uploads import UploadPlaces
from hsmpub.artifact import LocalStore
from hsmpub.wire.client import FrontChannel

T = TypeVar("T")


@dataclass(frozen=True)
class Front:
    """One front process. Holds no secret. protections: of this process, name → "on", or why it is off."""

    settings: Settings
    keeper: FrontChannel
    store: LocalStore
    log_reader: ServedLog
    sessions: Sessions
    by_address: Throttle
    costly: Throttle
    by_session: Throttle
    timestamps: Throttle
    uploads: UploadPlaces
    metrics: Metrics
    log: JsonLog
    protections: Mapping[str, str]

    def check_costly(self, request: Request) -> None:
        """Before work that an unauthenticated asker causes. Raises TooManyRequests."""
        client = request.scope.get("client")
        self.costly.check(asker(client))

    async def costly_body(self, request: Request, decoder: msgspec.json.Decoder[T], *, cap: int) -> T:
        """The small JSON body of an unauthenticated asker, read after their rate is checked. cap: the most bytes.

        Raises:
            TooManyRequests, and what json_body raises.
        """
        self.check_costly(request)
        return await json_body(request, decoder, cap=cap, timeout=self.settings.front.body_timeout)

    def check_session_rate(self, session: bytes, client: tuple[str, int] | None) -> None:
        """A session that the keeper opened has a bucket of its own; others share that of their address.

        Raises:
            TooManyRequests.
        """
        if self.sessions.is_known(session, int(time.time())):
            self.by_session.check(session)
        else:
            self.costly.check(asker(client))

    def check_timestamp_rate(self, bearer: bytes, client: tuple[str, int] | None) -> None:
        """Whoever has logged in has a bucket of their own; anybody shares that of their address, and that of all.

        Raises:
            TooManyRequests.
        """
        session = hashlib.sha256(bearer).digest()
        self.check_session_rate(session, client)
        if not self.sessions.is_known(session, int(time.time())):
            self.timestamps.check("anybody")


def front_of(request: Request) -> Front:
    """The front that answers this request."""
    front: Front = request.app.state.front
    return front
