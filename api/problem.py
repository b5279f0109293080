"""Every error that leaves the front, as an RFC 9457 problem document. One shape, one place.

The document never repeats what was sent: no body, no token, no header value.
"""

from __future__ import annotations

import msgspec
from starlette.responses import Response

from api.vault import speaks_vault, vault_errors
from hsmpub.errors import (
    Broken,
    HsmpubError,
    Invalid,
    NotFound,
    Problem,
    Refused,
    Throttled,
    TooLarge,
    Unauthenticated,
    Unavailable,
)

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:hsmpub:rule:"


class NoSuchRoute(NotFound):
    advice = "See /openapi.json for what there is."


class MethodNotAllowed(Invalid):
    status = 405
    advice = "See /openapi.json for the methods of this address."


class Unprocessable(Invalid):
    status = 422
    advice = "Correct the parameters and send it again."


class BodyTooSlow(Invalid):
    status = 408
    advice = "Send it again over a better connection."
    retry_is_safe = True


class HeadersTooLarge(TooLarge):
    status = 431
    advice = "Send fewer or shorter headers."


class BodyTooLarge(TooLarge):
    pass


class TooManyRequests(Throttled):
    pass


class TooManyUploads(Throttled):
    advice = "Other uploads are under way; send it again in a moment."


class BodyRefused(Invalid):
    advice = "See /openapi.json for the body of this address."


class HeaderRefused(Invalid):
    advice = "See /openapi.json for the headers of this address."


class UnreadableHttp(Invalid):
    advice = "Speak HTTP/1.1."


class SessionUnknown(Unauthenticated):
    advice = "Open a session with a fresh identity token and start again."


class NotReady(Unavailable):
    pass


class InternalFault(Broken):
    advice = "Look at the front's log under this request's id; nothing was released."


class ProblemDocument(msgspec.Struct, frozen=True):
    """RFC 9457. `family`, `next_step` and `retry` are extensions: what to do next, and whether the same thing may
    be sent again."""

    type: str
    title: str
    status: int
    detail: str
    next_step: str
    retry: bool
    family: str


#: answers before the body was read: what still comes is not worth waiting for
_UNREAD = (408, 413, 431)

_encode = msgspec.json.Encoder().encode


def problem_of(error: HsmpubError) -> tuple[Problem, int]:
    """The problem that an error carries, and its HTTP status."""
    if isinstance(error, Refused):
        return error.problem, error.problem.status
    return Problem.of(error), error.status


def document(problem: Problem, status: int) -> bytes:
    """The JSON document."""
    title = problem.rule.replace("-", " ").capitalize()
    return _encode(
        ProblemDocument(
            TYPE_PREFIX + problem.rule, title, status, problem.detail, problem.next_step, problem.retry, problem.family
        )
    )


def problem_response(error: HsmpubError, path: str = "") -> Response:
    """The answer to a refused request, in the words of those who ask at this path."""
    problem, status = problem_of(error)
    headers = {"cache-control": "no-store"}
    if problem.family in ("throttled", "unavailable") and problem.retry:
        headers["retry-after"] = "1"
    if status in _UNREAD:
        headers["connection"] = "close"
    if speaks_vault(path):
        return Response(vault_errors(problem), status, headers, "application/json")
    return Response(document(problem, status), status, headers, MEDIA_TYPE)
