"""The one child process of one job: looks, or publishes one item, or fetches an issuer's keys, and ends.

    python -I -S … hsmpub.courier.child [TOKEN_FD]

Order when it publishes, each step for a reason:
1. give up what it does not need (sandbox), before anything is read;
2. copy the item out of the front's reach, and check it, so that a bad one opens no credential;
3. make a key and ask the keeper for the lease; the keeper logs the intent first;
4. open the lease; read the target with it where strangers see nothing;
5. upload once; wipe; report what the target said. Whether it is there is read back by a child without credential.

A child ends at once when its stdin does: a courier that dies takes its children with it. Python keeps copies of a
credential that nobody can wipe (the opened box, what TLS encrypts), so the process ends right after its one upload.
"""

from __future__ import annotations

import dataclasses
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from hsmpub.courier.task import AnswerKind, FetchIssuer, Look, Publish, Report, Task, dump, load_task
from hsmpub.errors import Broken, HsmpubError, Problem
from hsmpub.sandbox import harden

if TYPE_CHECKING:
    from hsmpub.targets.target import Item, Target


class ChildFault(Broken):
    advice = "Look at the courier's log; the target is read back before anything is tried again."


def main() -> int:
    stdin, stdout = os.dup(0), os.dup(1)
    os.dup2(2, 1)  # a stray print must not end up in the report
    task = load_task(_read_frame(stdin))
    token = _read_token(sys.argv[1:])
    harden("job", read=_readable(task), write=_writable(task))
    threading.Thread(target=_end_with_courier, args=(stdin,), daemon=True).start()
    try:
        report = perform(task, token)
    except HsmpubError as error:
        report = Report(problem=Problem.of(error))
    except Exception as error:
        # never its text: it may hold what it worked on
        report = Report(problem=Problem.of(ChildFault(f"The child met an unexpected {type(error).__name__}.")))
    data = dump(report)
    _write_all(stdout, len(data).to_bytes(4, "big") + data)
    return 0


def perform(task: Task, token: bytes) -> Report:
    """Does one task. Raises HsmpubError when it could not even begin."""
    if isinstance(task, Look):
        return _look(task)
    if isinstance(task, FetchIssuer):
        from hsmpub.courier.issuer_keys import fetch_issuer_keys

        return Report(jwks=fetch_issuer_keys(task.url, loopback=task.loopback, timeout=task.timeout,
                                             lifetime=task.lifetime))  # fmt: skip
    return _publish(task, token)


def _look(task: Look) -> Report:
    return _seen(*_target_and_item(task))


def _publish(task: Publish, token: bytes) -> Report:
    target, item = _target_and_item(task.look)
    if item.path is None:
        return _publish_item(task, token, target, item)
    from hsmpub.courier.own_copy import own_copy

    name = f"{task.request}-{task.target}-{item.sha256}"
    with own_copy(item.path, item.size, Path(task.look.work) / name) as copy:
        return _publish_item(task, token, target, dataclasses.replace(item, path=copy))


def _publish_item(task: Publish, token: bytes, target: Target, item: Item) -> Report:
    target.check(item)
    attempt, credential = _lease(task, token)
    try:
        if task.hidden:
            before = _seen(target, item, credential)
            if before.shown != "absent":
                return msgspec.structs.replace(before, attempt=attempt, answer="unsent")
        answer, problem = _upload(lambda: target.publish(item, credential))
        after = _seen(target, item, credential) if task.hidden else Report()
        return msgspec.structs.replace(after, attempt=attempt, answer=answer, problem=problem)
    finally:
        credential[:] = bytes(len(credential))


def _seen(target: Target, item: Item, credential: bytearray | None = None) -> Report:
    try:
        seen = target.observe(item, credential)
    except HsmpubError as error:
        return Report(detail=error.detail, problem=Problem.of(error))
    return Report(seen.state, seen.observed, seen.detail, seen.hidden)


def _lease(task: Publish, token: bytes) -> tuple[int, bytearray]:
    """The attempt's number and the credential, leased to a key that only this process has."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    from hsmpub.courier.line import ask
    from hsmpub.secret.box import open_box
    from hsmpub.wire.messages import BeginAttempt, Lease, lease_info

    key = X25519PrivateKey.generate()
    begin = BeginAttempt(task.request, task.target, task.look.name, key.public_key().public_bytes_raw())
    lease = ask(task.socket, token, begin)
    if not isinstance(lease, Lease):
        raise ChildFault("The keeper answered something else than a lease.")
    info = lease_info(task.request, task.target, task.look.name)
    return lease.attempt, bytearray(open_box(key.private_bytes_raw(), info, lease.box))


def _upload(publish: Callable[[], None]) -> tuple[AnswerKind, Problem | None]:
    """What the target said. Only what surely was not sent, or surely was refused, is called so."""
    from hsmpub.targets.pinned import TargetRedirects
    from hsmpub.targets.target import CredentialRefused, PublishRefused, TargetUnreachable

    try:
        publish()
    except TargetUnreachable as error:
        return "unsent", Problem.of(error)
    except (CredentialRefused, PublishRefused, TargetRedirects) as error:
        return "no", Problem.of(error)
    except HsmpubError as error:
        return "unknown", Problem.of(error)
    except Exception as error:
        return "unknown", Problem.of(ChildFault(f"The upload met an unexpected {type(error).__name__}."))
    return "yes", None


def _target_and_item(task: Look) -> tuple[Target, Item]:
    from hsmpub.targets.target import Item, open_target

    target = open_target(task.kind, task.settings, timeout=task.timeout, lifetime=task.lifetime, work=Path(task.work))
    path = Path(task.path) if task.path else None
    return target, Item(task.name, task.sha256, task.size, task.content, path, task.commit)


def _readable(task: Task) -> list[str]:
    look = task.look if isinstance(task, Publish) else task
    own = [look.path] if isinstance(look, Look) and look.path else []
    own += [task.socket] if isinstance(task, Publish) else []
    return [*own, *(os.environ[name] for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if name in os.environ), "/dev/null"]


def _writable(task: Task) -> list[str]:
    look = task.look if isinstance(task, Publish) else task
    return [look.work] if isinstance(look, Look) else []


def _end_with_courier(stdin: int) -> None:
    while os.read(stdin, 65536):
        pass
    os._exit(3)


def _read_token(arguments: list[str]) -> bytes:
    if not arguments:
        return b""
    with os.fdopen(int(arguments[0]), "rb") as pipe:
        return pipe.read(32)


def _read_frame(fd: int) -> bytes:
    length = int.from_bytes(_read_exactly(fd, 4), "big")
    return _read_exactly(fd, length)


def _read_exactly(fd: int, count: int) -> bytes:
    data = bytearray()
    while len(data) < count:
        piece = os.read(fd, count - len(data))
        if not piece:
            os._exit(3)
        data += piece
    return bytes(data)


def _write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]
