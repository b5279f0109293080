"""What a CI job asks: a session, uploads, releases, routine signatures."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from hsmpub.client.asks.anybody import view
from hsmpub.client.asks.asker import Asker
from hsmpub.client.session import CiSession, open_session
from hsmpub.client.steps import JSON, Steps, call
from hsmpub.client.token import TokenSource
from hsmpub.client.upload import Progress, upload
from hsmpub.model.attested import Attestation
from hsmpub.model.submission import AskRelease, AskSign, FileRef, HashState, dump_submission
from hsmpub.wire import messages as m

_signed = msgspec.json.Decoder(m.SignReply)


class CiAsks(Asker):
    def open_session(self, source: TokenSource, audience: str = "") -> Steps[CiSession]:
        """Opens the session that the other asks of a CI job need; see hsmpub.client.session.open_session."""
        self._session = yield from open_session(source, self.trust, audience)
        return self._session

    def upload(
        self, path: Path, *, reference: FileRef | None = None, progress: Progress | None = None
    ) -> Steps[FileRef]:
        """Makes sure that the service has the file; see hsmpub.client.upload.upload."""
        return upload(self.session, path, reference=reference, progress=progress)

    def submit_release(self, project: str, version: str, commit: str, files: Iterable[FileRef],
                       attest: Attestation | None = None) -> Steps[m.RequestView]:  # fmt: skip
        """Asks for a release of files that were uploaded. commit: 40 or 64 hex characters; attest: a predicate."""
        body = dump_submission(AskRelease(project, version, commit, tuple(files), attest))
        return call("POST", "/v1/requests", view, content=body, headers=self._authentic(body))

    def sign(self, project: str, formats: Iterable[str], *, key: str = "", states: Iterable[HashState] = (),
             files: Iterable[FileRef] = (), attest: Attestation | None = None) -> Steps[m.SignReply]:  # fmt: skip
        """Routine signatures over up to 256 files, as they come; each result may carry a problem of its own.

        `sign_files` also hashes, checks what comes, and fetches the receipts."""
        body = dump_submission(AskSign(project, tuple(formats), key, tuple(states), tuple(files), attest))
        return call("POST", "/v1/sign", _signed, content=body, headers=self._authentic(body))

    def _authentic(self, body: bytes) -> dict[str, str]:
        return {**JSON, **self.session.headers(body)}
