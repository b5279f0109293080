"""Steps 4 and 5: what was approved is signed in the HSM, checked, logged durably, and only then released."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext

import msgspec

from hsmpub.errors import HsmpubError
from hsmpub.formats.context import context_of
from hsmpub.formats.registry import get_format
from hsmpub.formats.tuf.rules import TufRefused
from hsmpub.hsm.pool import Signers
from hsmpub.keeper.adopting import adopted
from hsmpub.keeper.again import Again
from hsmpub.keeper.approving import Approving
from hsmpub.keeper.artifacts import Artifacts
from hsmpub.keeper.book import Book, KeyRetired
from hsmpub.keeper.decrypting import Decrypting
from hsmpub.keeper.making import make, plan
from hsmpub.keeper.tagging import sign_tag
from hsmpub.keeper.tuf import check_shown, reserve
from hsmpub.keeper.unsealing import Unsealing
from hsmpub.model import entry as e
from hsmpub.model.request_state import Request
from hsmpub.model.statement import Subject
from hsmpub.model.tuf_versions import TufRollsBack, TufVersionNotNewer

log = logging.getLogger("hsmpub.keeper")

#: Requests of one project that are carried out at once: however many wait, others' files are read between them.
OF_A_PROJECT = 2


class Executing:
    """Carries out requests that have every approval; each at most once at a time."""

    def __init__(
        self,
        book: Book,
        approving: Approving,
        artifacts: Artifacts,
        unsealing: Unsealing,
        decrypting: Decrypting,
        on_adopted: Callable[[], None],
        on_trouble: Callable[[HsmpubError], Awaitable[None]],
    ) -> None:
        self._book = book
        self._approving = approving
        self._artifacts = artifacts
        self._unsealing = unsealing
        self._decrypting = decrypting
        self._on_adopted = on_adopted
        self._on_trouble = on_trouble
        self._running: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        #: request id → why it waits although it is approved
        self.held: dict[str, str] = {}
        self._again = Again()
        self._turns: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(OF_A_PROJECT))

    def start(self, request: Request) -> None:
        """Begins to carry out a request, if it is ready; otherwise does nothing."""
        if not self._is_ready(request) or request.id in self._running:
            return
        self._running.add(request.id)
        task = asyncio.get_running_loop().create_task(self._run(request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def start_all(self) -> None:
        """After an unseal: whatever waited for the HSM."""
        for request in self._book.state.open_requests():
            self.start(request)

    def start_due(self) -> None:
        """From time to time: what waits, but for what failed a moment ago."""
        now = self._book.now()
        for request in self._book.state.open_requests():
            if self._again.is_due(request.id, now):
                self.start(request)

    @property
    def under_way(self) -> set[asyncio.Task[None]]:
        """What is being carried out now: by them a test waits for the end of it."""
        return set(self._tasks)

    def _is_ready(self, request: Request) -> bool:
        return request.state == "pending" and self._approving.is_approved(request)

    async def _run(self, request: Request) -> None:
        try:
            async with self._turn(request):
                await self._execute(request)
            self.held.pop(request.id, None)
            self._again.forget(request.id)
        except (KeyRetired, TufRefused, TufVersionNotNewer, TufRollsBack) as error:
            await self._end(request, error)
        except HsmpubError as error:
            self.held[request.id] = f"{error.detail} {error.next_step}"
            self._again.failed(request.id, self._book.now(), error)
            log.warning("request %s waits: %s", request.id, error.rule)
            await self._on_trouble(error)
        except Exception:
            self.held[request.id] = "The keeper met an unexpected fault; see its log."
            self._again.failed(request.id, self._book.now(), None)
            log.exception("request %s failed", request.id)
        finally:
            self._running.discard(request.id)

    def _turn(self, request: Request) -> AbstractAsyncContextManager[object]:
        """Only releases read files; a change of policy waits for nobody."""
        project = request.statement.predicate.project
        return self._turns[project] if project else nullcontext()

    async def _execute(self, request: Request) -> None:
        if not self._is_ready(request):
            return  # it ended while it waited for its turn
        self._book.statement_bytes(request)  # what is carried out is what was logged
        predicate = request.statement.predicate
        if predicate.kind == "decrypt":
            self._unsealing.check_whole("decryption")
            await self._conclude(request, [await self._decrypting.carry_out(request)])
        elif predicate.kind == "release":
            with self._unsealing.signing(predicate.project, self._count(request)) as signers:
                await self._conclude(request, await self._signed(request, signers))
        else:
            await self._conclude(request, [])

    async def _conclude(self, request: Request, made: Sequence[e.Entry]) -> None:
        """Records what was signed or opened, or what an adoption puts into force."""
        async with self._book.turn():
            # Somebody may have been revoked, or declined, while the HSM was signing.
            if self._is_ready(request) and request.statement.predicate.expires_at > self._book.now():
                await self._book.record(*(made or adopted(self._book, request)))
                self._on_adopted()

    async def _end(self, request: Request, error: HsmpubError) -> None:
        """What was approved can never be signed: its version is free to be asked for again."""
        async with self._book.turn():
            if request.state == "pending":
                await self._book.record(e.Expired(self._book.now(), request.id, error.detail))
                self._again.forget(request.id)

    def _count(self, request: Request) -> int:
        """Signatures that leave with this release: of each file in each format, and of each tag."""
        predicate, targets = request.statement.predicate, self._book.policy.targets
        tags = [name for name in predicate.publish if targets[name].kind == "git"]
        return len(tags) + len(request.statement.subject) * sum(len(one.formats) for one in predicate.sign)

    async def _signed(self, request: Request, signers: Signers) -> list[e.Signed]:
        """What the HSM makes for this release."""
        now = self._book.now()
        tags = await self._tags(signers, request, now)
        return tags + [await self._sign(signers, request, subject, now) for subject in request.statement.subject]

    async def _sign(self, signers: Signers, request: Request, subject: Subject, now: int) -> e.Signed:
        predicate = request.statement.predicate
        forms = [get_format(name) for signing in predicate.sign for name in signing.formats]
        artifact = await self._artifacts.hashed(subject.sha256, subject.name, forms)
        artifact = msgspec.structs.replace(artifact, image=subject.image)
        context = context_of(predicate, self._book.genesis.service, now)
        planned = plan(artifact, predicate.sign, self._book.signing_key, context)
        for one in planned:
            check_shown(predicate, reserve(self._book.state.tuf, artifact, one.key, one.format))
        outputs = await make(signers, planned, context)
        return e.Signed(now, request.id, subject.name, subject.sha256, outputs)

    async def _tags(self, signers: Signers, request: Request, now: int) -> list[e.Signed]:
        """One signed tag object for each git target, under the name `git:<target>`."""
        entries = []
        for target in request.statement.predicate.publish:
            settings = self._book.policy.targets[target]
            if settings.kind == "git":
                entries.append(await sign_tag(self._book, signers, request, target, now))
        return entries
