"""Step 3: people co-sign, or refuse; time runs out. Who still counts is looked up again when it matters."""

from __future__ import annotations

from hsmpub.approval import check_approval, missing_approvals
from hsmpub.errors import Conflict
from hsmpub.keeper.book import Book
from hsmpub.model import entry as e
from hsmpub.model.fold import Request
from hsmpub.model.statement import APPROVAL_NAMESPACE, REFUSAL_NAMESPACE
from hsmpub.wire import messages as m


class RequestNotPending(Conflict):
    advice = "Nothing is to be approved any more; see where the request stands."


class Approving:
    """Collects approvals of pending requests."""

    def __init__(self, book: Book) -> None:
        self._book = book

    async def approve(self, message: m.Approve) -> Request:
        """Counts one approval. Raises RequestNotPending and the rules of hsmpub.approval."""
        async with self._book.turn():
            request = await self._check(message, APPROVAL_NAMESPACE)
            await self._book.record(
                e.Approved(self._book.now(), request.id, message.person, message.signature.decode())
            )
            return request

    async def decline(self, message: m.Decline) -> Request:
        """Ends a request by one approver's refusal. Raises as `approve`."""
        async with self._book.turn():
            request = await self._check(message, REFUSAL_NAMESPACE)
            await self._book.record(
                e.Declined(self._book.now(), request.id, message.person, message.signature.decode())
            )
            return request

    async def _check(self, message: m.Approve | m.Decline, namespace: str) -> Request:
        request = self._book.request(message.request)
        if request.state != "pending":
            raise RequestNotPending(f"The request {request.id} is {request.state}.")
        check_approval(
            self._book.statement_bytes(request),
            request.statement,
            message.person,
            message.signature,
            self._book.roster,
            namespace=namespace,
            now=self._book.now(),
            earlier=request.approvals,
        )
        return request

    def missing(self, request: Request) -> dict[str, int]:
        """Group → how many more must approve, by the roster of now: a revoked person counts no longer."""
        predicate = request.statement.predicate
        return missing_approvals(predicate.approvals, tuple(request.approvals), self._book.roster)

    async def expire(self) -> None:
        """Ends pending requests whose time is over."""
        now = self._book.now()
        for request in self._book.state.open_requests():
            if request.state == "pending" and request.statement.predicate.expires_at <= now:
                async with self._book.turn():
                    if request.state == "pending":
                        await self._book.record(e.Expired(now, request.id))
