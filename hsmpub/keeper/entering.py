"""A request enters the log with its statement, where there is room for it."""

from __future__ import annotations

from hsmpub.errors import Throttled
from hsmpub.keeper.book import Book
from hsmpub.model import entry as e
from hsmpub.model.request_state import Request
from hsmpub.model.statement import Predicate, Subject, dump_statement

#: Each waits in memory, in the log and on the list that approvers read.
MAX_PENDING_OF_A_PROJECT = 64
MAX_PENDING_OF_A_PERSON = 32


class TooManyPending(Throttled):
    advice = "Have them approved or declined first."
    retry_is_safe = False


def check_room(book: Book, what: str, name: str, most: int) -> None:
    """Raises TooManyPending."""
    pending = [r.statement.predicate for r in book.state.open_requests() if r.state == "pending"]
    mine = [p for p in pending if (p.project if what == "project" else p.requester.get("person")) == name]
    if len(mine) >= most:
        raise TooManyPending(f"{most} requests of the {what} {name} wait already.")


async def enter(book: Book, subjects: tuple[Subject, ...], predicate: Predicate) -> Request:
    """Logs the request with its exact statement; it stands when the entry is durable. The caller has the turn."""
    text = dump_statement(subjects, predicate).decode()
    await book.record(e.Requested(book.now(), predicate.request, text))
    return book.state.requests[predicate.request]
