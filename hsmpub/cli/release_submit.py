"""A release is asked for once: a second call with the same files goes on with the first."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from hsmpub.client.client import Client
from hsmpub.errors import HsmpubError, Refused
from hsmpub.model.attested import Attestation
from hsmpub.model.statement import load_statement
from hsmpub.model.submission import FileRef
from hsmpub.wire.messages import RequestView

_OVER = frozenset({"declined", "expired", "failed"})


def submit_or_resume(
    client: Client, project: str, version: str, commit: str, files: Sequence[FileRef],
    attest: Attestation | None = None,
) -> tuple[RequestView, bool]:  # fmt: skip
    """The request, and whether it stood before.

    Raises:
        Refused: also where the same version was asked for with other files.
    """
    same = partial(_same, project=project, version=version, commit=commit, files=files, attest=attest)
    found = same(client.requests())
    if found is not None:
        return found, True
    try:
        return client.submit_release(project, version, commit, files, attest), False
    except Refused as e:
        if e.problem.family != "conflict":
            raise
        # somebody else was quicker with the same, or it is long done
        found = same(client.requests(open_only=False))
        if found is None:
            raise
        return found, True


def _same(
    views: Sequence[RequestView], *, project: str, version: str, commit: str, files: Sequence[FileRef],
    attest: Attestation | None,
) -> RequestView | None:  # fmt: skip
    """A request for exactly this: same project, version, commit, files and predicate."""
    wanted = {(file.name, file.sha256, file.image) for file in files}
    for view in views:
        if (view.kind, view.project, view.version) != ("release", project, version) or view.state in _OVER:
            continue
        try:
            statement = load_statement(view.statement)
        except HsmpubError:
            continue
        subjects = {(subject.name, subject.sha256, subject.image) for subject in statement.subject}
        predicate = statement.predicate
        if subjects == wanted and (predicate.commit, predicate.attest) == (commit, attest):
            return view
    return None
