"""What the courier says to a child on its stdin, and what the child reports on its stdout. No secret is in either."""

from __future__ import annotations

from typing import Literal

import msgspec

from hsmpub.errors import Problem

MAX_FRAME_BYTES = 4 * 1024 * 1024

#: What the target said to an upload; `unknown`: something was sent, no whole answer came; `unsent`: nothing was.
AnswerKind = Literal["", "yes", "no", "unknown", "unsent"]
Shown = Literal["absent", "same", "different", "unknown"]


class _Task(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type"):
    pass


class Look(_Task, frozen=True, tag="look"):
    """What does the target show of this item?

    settings: the target's table of the policy; path: the artifact's file, empty when `content` has the bytes.
    timeout: seconds for one network operation; lifetime: for one request, apart from the time for its size.
    work: an own folder for short-lived files.
    """

    kind: str
    settings: dict[str, str | bool | int]
    name: str
    sha256: str
    size: int
    content: bytes
    path: str
    commit: str
    timeout: float
    lifetime: float
    work: str


class Publish(_Task, frozen=True, tag="publish"):
    """Begin an attempt and upload the item. socket: the keeper's courier channel; hidden: it has to be read with
    the credential, before and after, because the target shows strangers nothing."""

    request: str
    target: str
    socket: str
    look: Look
    hidden: bool


class FetchIssuer(_Task, frozen=True, tag="fetch-issuer"):
    """Fetch a CI issuer's signing keys."""

    url: str
    loopback: bool
    timeout: float
    lifetime: float


Task = Look | Publish | FetchIssuer


class Report(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a child did and saw.

    shown, observed, detail, hidden: an Observation, when it looked.
    attempt: number of the attempt it began, 0 when it began none; answer: what the target said to the upload.
    problem: why it stopped. jwks: an issuer's keys.
    """

    shown: Shown = "unknown"
    observed: str = ""
    detail: str = ""
    hidden: bool = False
    attempt: int = 0
    answer: AnswerKind = ""
    problem: Problem | None = None
    jwks: bytes = b""


load_task = msgspec.msgpack.Decoder(Task).decode
load_report = msgspec.msgpack.Decoder(Report).decode
dump = msgspec.msgpack.Encoder().encode
