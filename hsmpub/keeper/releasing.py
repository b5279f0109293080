"""What the HSM makes of an approved release: every file in the formats that the statement has for it, and tags."""

from __future__ import annotations

import msgspec

from hsmpub.formats.context import context_of
from hsmpub.formats.registry import get_format
from hsmpub.hsm.pool import Signers
from hsmpub.keeper.artifacts import Artifacts
from hsmpub.keeper.book import Book
from hsmpub.keeper.making import make, plan
from hsmpub.keeper.tagging import sign_tag
from hsmpub.keeper.tuf import check_shown, reserve
from hsmpub.model import entry as e
from hsmpub.model.request_state import Request
from hsmpub.model.statement import Subject


class Releasing:
    """Signs releases; whether one may be signed is known before (hsmpub.keeper.executing)."""

    def __init__(self, book: Book, artifacts: Artifacts) -> None:
        self._book = book
        self._artifacts = artifacts

    def count(self, request: Request) -> int:
        """Signatures that leave with this release: of each file in each format, and of each tag."""
        predicate, targets = request.statement.predicate, self._book.policy.targets
        tags = [name for name in predicate.publish if targets[name].kind == "git"]
        signings = (one for subject in request.statement.subject for one in request.statement.sign(subject))
        return len(tags) + sum(len(one.formats) for one in signings)

    async def sign(self, request: Request, signers: Signers) -> list[e.Signed]:
        """What the HSM makes for this release."""
        now = self._book.now()
        tags = await self._tags(signers, request, now)
        return tags + [await self._sign_file(signers, request, subject, now) for subject in request.statement.subject]

    async def _sign_file(self, signers: Signers, request: Request, subject: Subject, now: int) -> e.Signed:
        """One file in the formats that the statement has for it. Each output is read back and, beside that, verified by
        its format's independent check: routine work relies on the signer for it."""
        predicate, signings = request.statement.predicate, request.statement.sign(subject)
        makes = [(self._book.signing_key(one.key), get_format(name)) for one in signings for name in one.formats]
        artifact = await self._artifacts.hashed(subject.sha256, subject.name, [form for _, form in makes])
        artifact = msgspec.structs.replace(artifact, image=subject.image)
        context = context_of(predicate, self._book.genesis.service, now)
        planned = plan(artifact, makes, context)
        for one in planned:
            check_shown(predicate, reserve(self._book.state.tuf, artifact, one.key, one.format))
        outputs = []
        for one, output in zip(planned, await make(planned, signers, context), strict=True):
            one.format.check(output, artifact, one.key, context)
            said = one.prepared.said
            outputs.append(e.kept_output(artifact.name, one.format.name, one.key.name, one.output_name, output, said))
        return e.Signed(now, request.id, subject.name, subject.sha256, tuple(outputs))

    async def _tags(self, signers: Signers, request: Request, now: int) -> list[e.Signed]:
        """One signed tag object for each git target, under the name `git:<target>`."""
        entries = []
        for target in request.statement.predicate.publish:
            settings = self._book.policy.targets[target]
            if settings.kind == "git":
                entries.append(await sign_tag(self._book, signers, request, target, now))
        return entries
