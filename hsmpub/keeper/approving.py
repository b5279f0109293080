"""Step 3: people co-sign, or decline; time runs out. Who still counts is looked up again when it matters."""

from __future__ import annotations

from hsmpub.approval import check_approval, check_refusal, missing_approvals, standing_approvals
from hsmpub.errors import Conflict
from hsmpub.keeper.book import Book
from hsmpub.model import entry as e
from hsmpub.model.request_state import Request
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
            request, statement, now = self._pending(message.request)
            check_approval(
                statement,
                request.statement,
                message.person,
                message.signature,
                self._book.roster,
                now=now,
                earlier=request.approvals,
            )
            await self._book.record(e.Approved(now, request.id, message.person, message.signature.decode()))
            return request

    async def decline(self, message: m.Decline) -> Request:
        """Ends a request by one refusal. Raises as `approve`."""
        async with self._book.turn():
            request, statement, now = self._pending(message.request)
            check_refusal(statement, request.statement, message.person, message.signature, self._book.roster, now=now)
            await self._book.record(e.Declined(now, request.id, message.person, message.signature.decode()))
            return request

    def _pending(self, request_id: str) -> tuple[Request, bytes, int]:
        request = self._book.request(request_id)
        if request.state != "pending":
            raise RequestNotPending(f"The request {request.id} is {request.state}.")
        return request, self._book.statement_bytes(request), self._book.now()

    def missing(self, request: Request) -> dict[str, int]:
        """Group → how many more must approve, by the roster of now: a revoked person counts no longer."""
        predicate = request.statement.predicate
        return missing_approvals(
            predicate.approvals, tuple(request.approvals), self._book.roster, requester=predicate.requester
        )

    def is_approved(self, request: Request) -> bool:
        """Whether every approval stands now: each signature is verified again, over the bytes read back."""
        predicate = request.statement.predicate
        if not predicate.approvals:
            return True
        standing = standing_approvals(
            self._book.statement_bytes(request),
            request.statement,
            {person: given.signature.encode() for person, given in request.approvals.items()},
            self._book.roster,
        )
        return not missing_approvals(predicate.approvals, standing, self._book.roster, requester=predicate.requester)

    async def expire(self) -> None:
        """Ends pending requests whose time is over."""
        now = self._book.now()
        for request in self._book.state.open_requests():
            if request.state == "pending" and request.statement.predicate.expires_at <= now:
                async with self._book.turn():
                    if request.state == "pending":
                        await self._book.record(e.Expired(now, request.id))
