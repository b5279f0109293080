"""What a client does, apart from how it is carried out: calls, local work and pauses, one after the other.

Whatever is asked of the service is a generator of steps (`Steps`). A driver carries each step out and hands its result
back, or throws its error in; what the generator returns is the result of the whole. The drivers are hsmpub.client.http
and hsmpub.client.async_http; neither decides anything.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from hsmpub.errors import FAMILIES, Broken, Problem, Refused, Unavailable

T = TypeVar("T")
#: Header of a request with a body in JSON.
JSON = {"content-type": "application/json"}
_RULE = "urn:hsmpub:rule:"


class AnswerNotUnderstood(Unavailable):
    advice = "See whether --url names the service itself, and not something before it that failed."
    retry_is_safe = False


class Pieces(Protocol):
    """A body too large for memory, read from the local disk as it is sent."""

    def __iter__(self) -> Iterator[bytes]: ...


@dataclass(frozen=True)
class Call(Generic[T]):
    """One HTTP request. read: makes the result of status and body, or raises."""

    method: str
    path: str
    read: Callable[[int, bytes], T]
    content: bytes | Pieces | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Local(Generic[T]):
    """Work on this machine that may take a while: hashing, writing, a token command."""

    work: Callable[[], T]


@dataclass(frozen=True)
class Pause:
    """Seconds in which nothing is to be done."""

    seconds: float


Step = Call[Any] | Local[Any] | Pause
Steps = Generator[Step, Any, T]


def call(method: str, path: str, decoder: msgspec.json.Decoder[T], *, content: bytes | Pieces | None = None,
         headers: Mapping[str, str] | None = None, params: Mapping[str, Any] | None = None) -> Steps[T]:  # fmt: skip
    """One request with a JSON answer.

    Raises:
        Refused: the service's own refusal, with its sentences. AnswerNotUnderstood.
    """

    def read(status: int, body: bytes) -> T:
        try:
            return decoder.decode(read_bytes(status, body))
        except msgspec.MsgspecError:
            raise AnswerNotUnderstood("The service answered something unexpected.") from None

    result: T = yield Call(method, path, read, content, headers or {}, params or {})
    return result


def fetch(method: str, path: str, *, content: bytes | Pieces | None = None, headers: Mapping[str, str] | None = None,
          params: Mapping[str, Any] | None = None) -> Steps[bytes]:  # fmt: skip
    """One request whose answer's exact bytes count. Raises as `call`."""
    result: bytes = yield Call(method, path, read_bytes, content, headers or {}, params or {})
    return result


def locally(work: Callable[[], T]) -> Steps[T]:
    """Work on this machine. Raises what the work raises."""
    result: T = yield Local(work)
    return result


def run_steps(steps: Steps[T], carry_out: Callable[[Step], Any]) -> T:
    """Carries out each step, one after the other. Raises what the steps raise."""
    try:
        step = next(steps)
        while True:
            try:
                result = carry_out(step)
            except Exception as error:
                step = steps.throw(error)
            else:
                step = steps.send(result)
    except StopIteration as end:
        done: T = end.value
        return done
    finally:
        steps.close()


class _Document(msgspec.Struct):
    type: str
    detail: str
    family: str = ""
    next_step: str = ""
    retry: bool = False


def read_bytes(status: int, body: bytes) -> bytes:
    """The body of a successful answer. Raises Refused, AnswerNotUnderstood."""
    if status >= 300:
        raise refusal(status, body)
    return body


def refusal(status: int, body: bytes) -> Exception:
    """The error that an answer means which is no success."""
    try:
        told = msgspec.json.decode(body, type=_Document)
    except msgspec.MsgspecError:
        return AnswerNotUnderstood(f"The service answered {status} without saying why.")
    family = told.family if told.family in FAMILIES else Broken.family
    return Refused(Problem(family, told.type.removeprefix(_RULE), told.detail, told.next_step, told.retry))
