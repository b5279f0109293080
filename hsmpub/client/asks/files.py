"""Routine signatures over files: hashed or uploaded, asked for in batches, checked, and found in the log."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from hsmpub.artifact.source import PathSource
from hsmpub.client.asks.anybody import AnybodyAsks
from hsmpub.client.asks.ci import CiAsks
from hsmpub.client.batches import batches
from hsmpub.client.receipts import check_receipt
from hsmpub.client.sha256 import held_hash
from hsmpub.client.signing import Made, Signed, Work, asks_of, digest_work, made_of
from hsmpub.client.steps import Steps, locally
from hsmpub.client.upload import FileUnreadable, Progress
from hsmpub.errors import Invalid
from hsmpub.formats.registry import get_format
from hsmpub.formats.salted import Salted
from hsmpub.formats.source import Details
from hsmpub.model.attested import Attestation
from hsmpub.model.digest import sha256_hex
from hsmpub.model.submission import FileRef, check_file_name


class NothingMade(Invalid):
    advice = "See the reasons above."


class FileAsks(CiAsks, AnybodyAsks):
    def sign_files(self, paths: Iterable[Path], project: str, formats: Sequence[str], *, key: str = "",
                   send: bool = False, attest: Attestation | None = None) -> Steps[list[Signed]]:  # fmt: skip
        """Signs files that need no approval. One bad file spoils no other: its `problems` say why.

        Args:
            key: the key's name, where the policy leaves a choice. send: upload the files, not only their hashes.
            attest: a predicate, for the format in-toto.

        Returns:
            For each file that could be read, in some order: outputs that verified with the pinned key and are in the
            log as the receipt shows.

        Raises:
            Refused: a whole batch, with the service's reason; FileUnreadable and what else `digest_work` raises.
        """
        works = []
        for path in paths:
            if send:
                works.append((yield from self.upload_work(path, formats)))
            else:
                works.append((yield from locally(lambda path=path: digest_work(path, formats))))  # type: ignore[misc]
        signed: list[Signed] = []
        for batch in batches(works, attest):
            made = yield from self.sign_batch(batch, project, key, attest)
            receipt = (yield from self.receipt_of(made)) if made[0].entry >= 0 else b""
            signed += [Signed(one.path, one.outputs, one.problems, receipt if one.outputs else b"") for one in made]
        return signed

    def upload_work(self, path: Path, formats: Sequence[str], *, progress: Progress | None = None) -> Steps[Work]:
        """Hashes and uploads. Raises HostileName, FileUnreadable, NotAPlainFile, FileChanged, Refused."""
        check_file_name(path.name)

        def read() -> tuple[FileRef, Work]:
            held, details = held_hash(path), _details(path, formats)
            reference = FileRef(path.name, held.digest().hex(), held.size)
            return reference, Work(path, tuple(formats), held, reference, details)

        try:
            reference, work = yield from locally(read)
        except OSError as e:
            raise FileUnreadable(f"{path} cannot be read: {e.strerror}.") from None
        yield from self.upload(path, reference=reference, progress=progress)
        return work

    def sign_batch(
        self, works: Sequence[Work], project: str, key: str = "", attest: Attestation | None = None
    ) -> Steps[list[Made]]:
        """Asks for one batch (hsmpub.client.signing.batches), each file in its formats, and checks what comes.

        Raises:
            Refused: the whole batch, with the service's reason.
        """
        formats = tuple(dict.fromkeys(name for work in works for name in work.formats))
        states, files = asks_of(works, formats)
        reply = yield from self.sign(project, formats, key=key, states=states, files=files, attest=attest)
        trust, session = self.trust, self.session
        return (yield from locally(lambda: [made_of(work, reply, trust, session) for work in works]))

    def receipt_of(self, made: Sequence[Made]) -> Steps[bytes]:
        """The receipt of one batch, which records every output of it.

        Raises:
            NothingMade: there is none. OutputNotInLog, and what verify_receipt raises; Unavailable: it is late.
        """
        if made[0].entry < 0:  # nothing was made, so nothing was logged
            raise NothingMade("No signature was made.")
        receipt = yield from self.routine_receipt(made[0].entry)
        check_receipt(receipt, self.trust, [sha256_hex(output) for one in made for output in one.outputs.values()])
        return receipt


def _details(path: Path, formats: Sequence[str]) -> Details:
    """Of salted formats the service draws the salt: what they need is made when their signature is there."""
    forms = [form for form in map(get_format, formats) if form.detail_limit and not isinstance(form, Salted)]
    return {form.name: form.extract(PathSource(path)) for form in forms}
