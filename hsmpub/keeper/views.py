"""Requests as everybody may see them."""

from __future__ import annotations

from hsmpub.errors import NotFound
from hsmpub.keeper.approving import Approving
from hsmpub.keeper.book import Book
from hsmpub.keeper.executing import Executing
from hsmpub.model.request_state import Request
from hsmpub.wire import messages as m

#: One list fits one frame, whatever was asked: the newest requests, those first.
MAX_LIST, MAX_LIST_BYTES = 200, 2 * 1024 * 1024


class NoSuchSigningKey(NotFound):
    advice = "Name a key of the service that signs files."


class Views:
    def __init__(self, book: Book, approving: Approving, executing: Executing) -> None:
        self._book = book
        self._approving = approving
        self._executing = executing

    def one(self, request: Request) -> m.RequestView:
        """One request with its exact statement, verified against the held root as it is read."""
        predicate = request.statement.predicate
        missing = self._approving.missing(request) if request.state == "pending" else {}
        state = "approved" if request.state == "pending" and not missing else request.state
        return m.RequestView(
            request=request.id,
            kind=predicate.kind,
            project=predicate.project,
            version=predicate.version,
            state=state,
            why=request.why or self._executing.held.get(request.id, ""),
            statement=self._book.statement_bytes(request),
            expires_at=predicate.expires_at,
            approvals=tuple(m.ApprovalView(person, given.at) for person, given in request.approvals.items()),
            missing=missing,
            publishing=tuple(
                m.PublishView(target, name, item.state, item.detail) for (target, name), item in request.items.items()
            ),
            entries=tuple(self._entries(request)),
        )

    def many(self, open_only: bool) -> m.RequestList:
        requests = self._book.state.requests.values()
        chosen = [r for r in requests if r.is_open] if open_only else list(requests)
        views: list[m.RequestView] = []
        room = MAX_LIST_BYTES
        for request in reversed(chosen[-MAX_LIST:]):
            views.append(self.one(request))
            room -= len(views[-1].statement)
            if room < 0:
                break
        return m.RequestList(tuple(views))

    def key(self, name: str) -> m.KeyReply:
        """Raises NoSuchSigningKey."""
        key = self._book.keys.by_name.get(name)
        if key is None or not key.record.formats:
            raise NoSuchSigningKey(f"The service signs no files with a key {name[:80]!r}.")
        return m.KeyReply(key.record)

    def _entries(self, request: Request) -> list[int]:
        """Every entry that a receipt of this request needs: genesis, policy and roster in force, then its own."""
        own = set(request.entries) | self._session(request)
        rosters = {i for i in self._book.state.rosters if self._book.roster_at(request.index) <= i < max(own)}
        return sorted({0, self._book.policy_at(request.index)} | rosters | own)

    def _session(self, request: Request) -> set[int]:
        index = self._book.state.session_entries.get(request.statement.predicate.requester.get("session", ""))
        return set() if index is None else {index}
