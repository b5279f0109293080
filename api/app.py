"""The front as a FastAPI application. `create_app` wires it; nothing happens before its lifespan begins."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import NoReturn

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Route

from api import openapi
from api.edge import Edge
from api.front import Front
from api.logs import JsonLog
from api.metrics import Metrics
from api.problem import BodyRefused, MethodNotAllowed, NoSuchRoute, Unprocessable
from api.records import Records
from api.routes import (
    artifacts,
    drill,
    health,
    holders,
    keys,
    log,
    receipts,
    requests,
    sessions,
    sign,
    timestamps,
    token,
    transit,
    unseal,
)
from api.served_log import ServedLog
from api.sessions import Sessions
from api.settings import Settings
from api.short_way import ShortWay
from api.throttle import Throttle
from api.uploads import UploadPlaces
from hsmpub.artifact import LocalStore
from hsmpub.wire.client import FrontChannel

_ABOUT = """Signs artifacts and publishes releases with keys that only a quorum of people can unlock.

Every refusal is a problem document (RFC 9457) whose `type` names the rule, and which says what to do next."""


def create_app(settings: Settings, protections: Mapping[str, str] | None = None) -> FastAPI:
    """The application of one front process.

    Args:
        protections: of this process, name → "on" or why it is off; `/v1/status` names those that are off.

    Its `state.front` holds what the routes share; `state.short_way` is for connections.
    The keeper need not be there yet: without it, answers are
    503 `keeper-unreachable`.
    """
    front = _front(settings, protections or {})
    app = FastAPI(
        title="hsmpub",
        version=_version(),
        description=_ABOUT,
        docs_url=None,
        redoc_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False},
        lifespan=_lifespan,
        redirect_slashes=False,
    )
    app.state.front = front
    app.state.readiness = health.Readiness()
    sign_route = sign.SignRoute(front)
    app.router.routes.insert(0, Route(sign.PATH, sign_route, methods=["POST"], name="sign"))
    everything = (
        sessions,
        requests,
        artifacts,
        receipts,
        keys,
        unseal,
        holders,
        drill,
        health,
        log,
        transit,
        timestamps,
        token,
    )
    for routes in everything:
        app.include_router(routes.router)
    app.add_exception_handler(HTTPException, _http_refusal)
    app.add_exception_handler(RequestValidationError, _parameters_refused)
    records = Records(front.metrics, front.log)
    app.add_middleware(Edge, throttle=front.by_address, records=records)
    app.state.short_way = ShortWay(front, records, sign_route)
    app.openapi = lambda: openapi.document(app, {sign.PATH: sign.described()})  # type: ignore[method-assign]
    return app


def _front(settings: Settings, protections: Mapping[str, str]) -> Front:
    home, caps = settings.home, settings.front
    metrics = Metrics()
    return Front(
        settings=settings,
        keeper=FrontChannel(home.front_socket),
        store=LocalStore(home.artifacts),
        log_reader=ServedLog(home.log),
        sessions=Sessions(),
        by_address=Throttle(caps.address_rate, caps.address_burst, "This address"),
        costly=Throttle(caps.costly_rate, caps.costly_burst, "This address"),
        by_session=Throttle(caps.session_rate, caps.session_burst, "This session"),
        timestamps=Throttle(caps.timestamp_rate, caps.timestamp_burst, "Everybody together"),
        uploads=UploadPlaces(caps.max_uploads, metrics.uploads),
        metrics=metrics,
        log=JsonLog(),
        protections=protections,
    )


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    front: Front = app.state.front
    front.store.collect_stale()
    yield
    front.keeper.close()
    front.log_reader.close()


async def _http_refusal(request: Request, error: Exception) -> NoReturn:
    """What the router refuses, under its own rules; the edge makes the document."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 404:
        raise NoSuchRoute("There is nothing at this address.")
    if status == 405:
        raise MethodNotAllowed("This address does not take that method.")
    raise BodyRefused("The request was not understood.")


async def _parameters_refused(request: Request, error: Exception) -> NoReturn:
    """Names the parameters, never their values."""
    found = error.errors() if isinstance(error, RequestValidationError) else []
    names = sorted({".".join(str(part) for part in problem["loc"]) for problem in found})
    raise Unprocessable(f"Parameters were not understood: {', '.join(names)}.")


def _version() -> str:
    try:
        return version("hsmpub")
    except PackageNotFoundError:  # run from a checkout
        return "0"
