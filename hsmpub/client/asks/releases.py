"""A release from the asking to the files that it made: asked for once, waited for, fetched and checked."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from hsmpub.client.asks.anybody import AnybodyAsks
from hsmpub.client.asks.ci import CiAsks
from hsmpub.client.at_hand import files_at_hand
from hsmpub.client.embedding import write_signed
from hsmpub.client.outputs import write_whole
from hsmpub.client.receipts import OutputNotInLog, check_receipt
from hsmpub.client.steps import Pause, Steps, locally
from hsmpub.client.trust import pinned_key
from hsmpub.errors import Conflict, HsmpubError, Refused, Unavailable
from hsmpub.formats.registry import FORMATS
from hsmpub.model.attested import Attestation
from hsmpub.model.digest import sha256_hex
from hsmpub.model.statement import load_statement
from hsmpub.model.submission import AskRelease, FileRef
from hsmpub.receipt.model import SUFFIX
from hsmpub.wire.messages import RequestView

#: States in which a release is out, and in which it never will be.
GOOD = frozenset({"published", "done"})
BAD = frozenset({"declined", "expired", "failed"})


class NotReleased(Conflict):
    advice = "See 'hsmpub release show'; what is refused or expired is asked for anew."


class StillWaiting(Unavailable):
    advice = "Wait again: 'hsmpub release wait' resumes where it stands, and asks for nothing anew."


class Asked(NamedTuple):
    """A request, and whether it stood before it was asked for now."""

    view: RequestView
    resumed: bool


class ReleaseAsks(CiAsks, AnybodyAsks):
    def ask_release(self, project: str, version: str, commit: str, files: Iterable[FileRef],
                    attest: Attestation | None = None) -> Steps[Asked]:  # fmt: skip
        """Asks for a release of files that were uploaded, or goes on with the request for the very same.

        Args:
            attest: a predicate, for the format in-toto.

        Raises:
            Refused: also where the same version was asked for with other files.
        """
        wanted = AskRelease(project, version, commit, tuple(files), attest)
        found = _same((yield from self.requests()), wanted)
        if found is not None:
            return Asked(found, True)
        try:
            return Asked((yield from self.submit_release(project, version, commit, wanted.files, attest)), False)
        except Refused as e:
            if e.problem.family != "conflict":
                raise
            # somebody else was quicker with the same, or it is long done
            found = _same((yield from self.requests(open_only=False)), wanted)
            if found is None:
                raise
            return Asked(found, True)

    def wait(self, request: str, timeout: float = 3600.0, *, every: float = 1.0,
             seen: Callable[[RequestView], None] | None = None) -> Steps[RequestView]:  # fmt: skip
        """The request once it is out. A service that is away for a moment is waited for, too.

        Args:
            timeout: seconds to wait at most; 0 looks once. every: seconds between two looks.
            seen: called with each view whose state differs from the one before.

        Raises:
            NotReleased: it will never be. StillWaiting: it is not yet, and may be waited for again.
        """
        deadline, told = time.monotonic() + timeout, ""
        while True:
            try:
                view = yield from self.request(request)
            except HsmpubError as e:
                if not e.retry or time.monotonic() >= deadline:
                    raise
            else:
                if seen is not None and view.state != told:
                    told = view.state
                    seen(view)
                if view.state in GOOD:
                    return view
                if view.state in BAD:
                    raise _never(view)
                if time.monotonic() >= deadline:
                    raise _still_waiting(view)
            yield Pause(max(0.0, min(every, deadline - time.monotonic())))

    def fetch_release(
        self, request: str, into: Path, *, files: Sequence[Path] = (), written: Callable[[Path], None] | None = None
    ) -> Steps[list[Path]]:
        """Writes the receipt of a release and every signature that it records.

        Args:
            files: of the release, at hand: where a signature goes into its file, the signed file is written, too.
            written: called with each path.

        Raises:
            StillWaiting: nothing was signed yet. NotReleased: nothing ever will be. NotOfTheRelease: a file is not.
            FileUnreadable, SignedFileDiffers.
            ReceiptOfAnother: the service gives the receipt of another request.
            OutputNotInLog: the service gives other bytes than its log records.
            What verify_receipt raises, Refused, HostileName, NotWritten.
        """
        view = yield from self.request(request)
        if view.state in ("pending", "approved"):
            raise _still_waiting(view)
        if view.state in ("declined", "expired"):
            raise _never(view)
        receipt = yield from self.receipt(request)
        report = check_receipt(receipt, self.trust, request=request)
        at_hand = yield from locally(partial(files_at_hand, report, files))
        name = "-".join(part for part in (report.project, report.version) if part) or report.request
        paths = [(yield from _write(into, f"{name}{SUFFIX}", receipt, written))]
        for seen in report.signatures:
            output = yield from self.output(request, seen.name)
            if sha256_hex(output) != seen.sha256:
                raise OutputNotInLog(f"What the service gives as {seen.name!r} is not what its log records.")
            paths.append((yield from _write(into, seen.name, output, written)))
            form, file = FORMATS.get(seen.format), at_hand.get(seen.artifact)
            if form is not None and form.embedded and file is not None:
                key = pinned_key(self.trust, seen.key)
                signed = yield from locally(partial(write_signed, file.path, into, file.hash, output, form, key))
                paths.append(signed)
                if written is not None:
                    written(signed)
        return paths


def _write(into: Path, name: str, data: bytes, written: Callable[[Path], None] | None) -> Steps[Path]:
    path = yield from locally(lambda: write_whole(into, name, data))
    if written is not None:
        written(path)
    return path


def _never(view: RequestView) -> NotReleased:
    return NotReleased(f"Request {view.request} is {view.state}. {view.why}".strip())


def _still_waiting(view: RequestView) -> StillWaiting:
    if view.state != "signed":
        return StillWaiting(f"Request {view.request} is still {view.state}.")
    return StillWaiting(
        f"Request {view.request} is signed, and not everywhere yet where it is to be published.",
        next_step=f"'hsmpub release show {view.request}' says what each target answered. What failed is tried again by "
        "itself; waiting again asks for nothing anew.",
    )


def _same(views: Sequence[RequestView], asked: AskRelease) -> RequestView | None:
    """A request for exactly this: same project, version, commit, files and predicate."""
    wanted = {(file.name, file.sha256, file.image) for file in asked.files}
    for view in views:
        if (view.kind, view.project, view.version) != ("release", asked.project, asked.version) or view.state in BAD:
            continue
        try:
            statement = load_statement(view.statement)
        except HsmpubError:
            continue
        subjects = {(subject.name, subject.sha256, subject.image) for subject in statement.subject}
        predicate = statement.predicate
        if subjects == wanted and (predicate.commit, predicate.attest) == (asked.commit, asked.attest):
            return view
    return None
