"""A release is asked for once: a second call with the same files goes on with the first."""

from __future__ import annotations

from collections.abc import Sequence

from hsmpub.client.client import Client
from hsmpub.errors import HsmpubError, Refused
from hsmpub.model.statement import load_statement
from hsmpub.model.submission import FileRef
from hsmpub.wire.messages import RequestView

_OVER = frozenset({"declined", "expired", "failed"})


def submit_or_resume(
    client: Client, project: str, version: str, commit: str, files: Sequence[FileRef]
) -> tuple[RequestView, bool]:
    """The request, and whether it stood before.

    Raises:
        Refused: also where the same version was asked for with other files.
    """
    found = _same(client.requests(), project, version, commit, files)
    if found is not None:
        return found, True
    try:
        return client.submit_release(project, version, commit, files), False
    except Refused as e:
        if e.problem.family != "conflict":
            raise
        # somebody else was quicker with the same, or it is long done
        found = _same(client.requests(open_only=False), project, version, commit, files)
        if found is None:
            raise
        return found, True


def _same(
    views: Sequence[RequestView], project: str, version: str, commit: str, files: Sequence[FileRef]
) -> RequestView | None:
    """A request for exactly this: same project, version, commit and files."""
    wanted = {(file.name, file.sha256) for file in files}
    for view in views:
        if (view.kind, view.project, view.version) != ("release", project, version) or view.state in _OVER:
            continue
        try:
            statement = load_statement(view.statement)
        except HsmpubError:
            continue
        subjects = {(subject.name, subject.sha256) for subject in statement.subject}
        if subjects == wanted and statement.predicate.commit == commit:
            return view
    return None
