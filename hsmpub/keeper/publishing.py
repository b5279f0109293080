"""Steps 6 and 7 as the keeper sees them: it hands out jobs, logs each intent before it leases a credential,
and records what the courier read back. An attempt without an outcome must be read back before the next."""

from __future__ import annotations

from hsmpub.errors import Conflict, Forbidden, NotFound
from hsmpub.keeper.approving import Approving
from hsmpub.keeper.book import Book
from hsmpub.keeper.credentials import CredentialMissing, Credentials
from hsmpub.keeper.unsealing import Unsealing
from hsmpub.model import entry as e
from hsmpub.model.request_state import FINISHED, Item, Request
from hsmpub.wire import messages as m

#: Outcomes after which the next attempt may begin.
_MAY_TRY = frozenset({"waiting", "failed"})


class NothingToPublish(NotFound):
    advice = "Fetch the jobs again."


class ApprovalWithdrawn(Forbidden):
    advice = "An approver was revoked since. Publishing waits until the roster or the request changes."


class OutcomeNotRecorded(Conflict):
    advice = "Read the target back and record the outcome first."


class ItemFinished(Conflict):
    advice = "It is published; nothing is to be done."


class Publishing:
    """Publish jobs of signed releases."""

    def __init__(self, book: Book, approving: Approving, credentials: Credentials, unsealing: Unsealing) -> None:
        self._book = book
        self._unsealing = unsealing
        self._approving = approving
        self._credentials = credentials

    def jobs(self) -> m.JobsReply:
        """What is signed, approved still, and not finished: one job per request and target; nothing while sealed."""
        if not self._unsealing.is_unsealed:
            return m.JobsReply(())
        return m.JobsReply(
            tuple(
                self._job(request, target)
                for request in self._book.state.open_requests()
                if request.state == "signed" and self._unsealing.is_for(request.statement.predicate.project)
                if self._approving.is_approved(request)
                for target in request.statement.predicate.publish
                if target in self._book.policy.targets and not self._is_finished(request, target)
            )
        )

    async def begin(self, message: m.BeginAttempt) -> m.Lease:
        """Logs the intent durably, then leases the target's credential to the one child that asked.

        Raises:
            NothingToPublish, ApprovalWithdrawn, OutcomeNotRecorded, ItemFinished, CredentialMissing, Sealed,
            ProjectNotUnsealed.
        """
        async with self._book.turn():
            self._unsealing.signers()  # no intent is logged for what a sealed service cannot lease
            request, item = self._find(message.request, message.target, message.item)
            self._unsealing.check_project(request.statement.predicate.project)
            credential = self._check(request, item, message)
            attempt = item.attempt + 1
            await self._book.record(
                e.PublishIntent(
                    self._book.now(), request.id, message.target, message.item, item.sha256, attempt,
                    credential.sealed_sha256,
                )
            )  # fmt: skip
        info = m.lease_info(message.request, message.target, message.item)
        box = await self._credentials.lease(credential.name, credential.sealed_sha256, to=message.child_key, info=info)
        return m.Lease(attempt, box)

    async def record(self, message: m.RecordOutcome) -> None:
        """Records what was read back.

        Raises:
            NothingToPublish, ItemFinished.
        """
        async with self._book.turn():
            _, item = self._find(message.request, message.target, message.item)
            if item.state in FINISHED:
                raise ItemFinished(f"{message.item} is at {message.target}.")
            if message.attempt != item.attempt:
                raise NothingToPublish(f"{message.item} is not at attempt {message.attempt}.")
            await self._book.record(
                e.PublishOutcome(
                    self._book.now(), message.request, message.target, message.item, message.attempt, message.result,
                    message.observed[:200], message.detail[:500],
                )
            )  # fmt: skip

    def _check(self, request: Request, item: Item, message: m.BeginAttempt) -> e.CredentialSealed:
        if not self._approving.is_approved(request):
            raise ApprovalWithdrawn(f"The request {request.id} lacks an approval again.")
        if item.state in FINISHED:
            raise ItemFinished(f"{message.item} is at {message.target}.")
        if item.state not in _MAY_TRY:
            raise OutcomeNotRecorded(f"Attempt {item.attempt} of {message.item} is {item.state}.")
        name = self._book.policy.targets[message.target].credential
        credential = self._book.state.credentials.get(name)
        if credential is None:
            raise CredentialMissing(f"The credential {name} of the target {message.target} is not sealed yet.")
        return credential

    def _find(self, request_id: str, target: str, name: str) -> tuple[Request, Item]:
        request = self._book.request(request_id)
        wanted = {i.name: i for i in self._items(request, target)} if self._publishes(request, target) else {}
        if name not in wanted:
            raise NothingToPublish(f"The request {request_id} publishes no {name} to {target}.")
        return request, request.items.get((target, name)) or Item(wanted[name].sha256)

    def _publishes(self, request: Request, target: str) -> bool:
        return (
            request.state == "signed"
            and target in request.statement.predicate.publish
            and target in self._book.policy.targets
        )

    def _job(self, request: Request, target: str) -> m.Job:
        settings, predicate = self._book.policy.targets[target], request.statement.predicate
        return m.Job(
            request=request.id,
            target=target,
            kind=settings.kind,
            settings=settings.settings(),
            project=predicate.project,
            version=predicate.version,
            commit=predicate.commit,
            items=self._items(request, target),
        )

    def _items(self, request: Request, target: str) -> tuple[m.JobItem, ...]:
        tag = request.signed.get(f"git:{target}")
        if tag is not None:
            content = tag[0].text.encode()
            wanted = [(tag[0].name, tag[0].sha256, len(content), content)]
        else:
            statement = request.statement
            sizes = zip(statement.subject, statement.predicate.sizes, strict=True)
            wanted = [(s.name, s.sha256, size, b"") for s, size in sizes if statement.goes(s, target)]
        items = []
        for name, sha256, size, content in wanted:
            item = request.items.get((target, name)) or Item(sha256)
            items.append(m.JobItem(name, sha256, size, content, item.state, item.attempt))
        return tuple(items)

    def _is_finished(self, request: Request, target: str) -> bool:
        return all(item.state in FINISHED for item in self._items(request, target))
