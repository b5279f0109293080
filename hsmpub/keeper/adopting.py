"""What an approved change of policy, roster or credentials puts into force. Called within the book's turn: whatever it
hangs on may have changed since it was asked, and a fact that does not fit the others would keep the next start away."""

from __future__ import annotations

from hsmpub.keeper.book import Book
from hsmpub.model import entry as e
from hsmpub.model.request_state import Request


def adopted(book: Book, request: Request) -> list[e.Entry]:
    """The facts of an adoption, checked against what is in force now.

    Raises:
        The rules of hsmpub.policy and of the roster: it could be adopted when it was asked for, and no longer can.
    """
    now, predicate = book.now(), request.statement.predicate
    sha256 = request.statement.subject[0].sha256
    if predicate.kind == "policy":
        book.load_policy(predicate.text)
        return [e.PolicyAdopted(now, predicate.text, sha256, request.id), *_void(book, request, now)]
    if predicate.kind == "roster":
        book.check_roster(predicate.text)
        return [e.RosterAdopted(now, predicate.text, sha256, request.id), *_outdated(book, request, now)]
    return [e.CredentialSealed(now, predicate.credential, sha256, request.id)]


def _void(book: Book, adopting: Request, now: int) -> list[e.Entry]:
    """A new policy voids what was asked, and perhaps approved, under the one before."""
    pending = (r for r in book.state.open_requests() if r.state == "pending" and r is not adopting)
    return [e.Expired(now, r.id, "another policy was adopted") for r in pending]


def _outdated(book: Book, adopting: Request, now: int) -> list[e.Entry]:
    """A roster is adopted as a whole: one written before this adoption would undo it, revocations too."""
    return [
        e.Expired(now, r.id, "another roster was adopted")
        for r in book.state.open_requests()
        if r.state == "pending" and r is not adopting and r.statement.predicate.kind == "roster"
    ]
