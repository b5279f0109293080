"""Routine signing: no approval needed, one call, many files. The hot path.

One policy decision, one trip to the HSM for the whole batch, one durable log entry; then the reply. A file
that cannot be signed fails alone.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from hsmpub.errors import HsmpubError, Problem
from hsmpub.formats.context import Context, context_of
from hsmpub.formats.format import Artifact, Format
from hsmpub.formats.registry import get_format
from hsmpub.formats.sha256state import Sha256State
from hsmpub.keeper.answering import check_answerable, sealed_for
from hsmpub.keeper.artifacts import Artifacts
from hsmpub.keeper.batch import Batch, Work, sign_batch
from hsmpub.keeper.book import Book
from hsmpub.keeper.revoking import Revoking
from hsmpub.keeper.sessions import Session
from hsmpub.keeper.submitting import PolicyChanged, requester_of, uri_of
from hsmpub.keeper.tuf import reserve
from hsmpub.keeper.unsealing import Unsealing
from hsmpub.model import entry as e
from hsmpub.model import submission as s
from hsmpub.model.attested import Build
from hsmpub.model.key import KeyRecord
from hsmpub.model.statement import Predicate, Profiles, Signing, Subject, dump_statement
from hsmpub.policy import Policy
from hsmpub.policy.attesting import check_images, check_predicate, decide_build
from hsmpub.wire import messages as m

#: A routine statement is carried out at once; it says so by this short life, in seconds.
ROUTINE_SECONDS = 60


@dataclass(frozen=True)
class _Allowed:
    """What the policy lets this session do with one project and set of formats: which key makes which, for whom."""

    policy: Policy
    makes: tuple[tuple[KeyRecord, Format], ...]
    signing: tuple[Signing, ...]
    requester: dict[str, str]
    profiles: Profiles
    build: Build | None
    tuf_longest: int


_Given = s.HashState | s.FileRef | Artifact


class Routine:
    """Signs what needs nobody's approval."""

    def __init__(self, book: Book, artifacts: Artifacts, unsealing: Unsealing) -> None:
        self._book = book
        self._artifacts = artifacts
        self._unsealing = unsealing
        self._revoking = Revoking(book)

    async def sign(self, session: Session, body: s.AskSign, artifacts: Sequence[Artifact] = ()) -> m.SignReply:
        """Signs every file of the body that can be signed, and the artifacts beside it.

        Raises:
            SessionWithoutKey; the rules of hsmpub.policy and of the unsealing's terms; Sealed; those of the log when
                the entry cannot be made durable.
            PolicyChanged: another policy was adopted meanwhile; nothing leaves.
        """
        check_answerable(session, body.formats)
        async with self._revoking.turn(body.formats):
            return await self._sign(session, body, artifacts)

    async def _sign(self, session: Session, body: s.AskSign, artifacts: Sequence[Artifact]) -> m.SignReply:
        allowed, policy = self._allowed(session, body), self._book.state.policies[-1]
        check_predicate(allowed.policy, body.project, allowed.signing, body.attest)
        self._unsealing.check_project(body.project)
        now, names = self._book.now(), secrets.token_hex(24)
        predicate = Predicate(
            request=names[:16],
            kind="sign",
            requester=allowed.requester,
            policy_sha256=self._book.policy_sha256,
            nonce=names[16:],
            requested_at=now,
            expires_at=now + ROUTINE_SECONDS,
            project=body.project,
            sign=allowed.signing,
            attest=body.attest,
            build=allowed.build,
            tuf_longest=allowed.tuf_longest,
            **msgspec.structs.asdict(allowed.profiles),
        )
        context = context_of(predicate, self._book.genesis.service, now)
        everything: list[_Given] = [*body.states, *body.files, *artifacts]
        context = self._revoking.with_log(context, allowed.signing[0].key, len(everything))
        batch = await self._prepare(everything, allowed, context)
        if not batch.work:
            return m.SignReply(predicate.request, -1, tuple(batch.made))
        self._check_policy(policy, self._book.state.size)
        with self._unsealing.signing(body.project, len(batch.work)) as signers:
            await sign_batch(batch, signers, context)
            if batch.tuf:
                predicate = msgspec.structs.replace(predicate, tuf=tuple(batch.tuf))
            self._check_policy(policy, self._book.state.size)
            statement = dump_statement(tuple(batch.subjects), predicate).decode()
            index = await self._book.record_routine(
                e.RoutineSigned(now, predicate.request, session.id, statement, tuple(batch.outputs), tuple(batch.said))
            )
            self._check_policy(policy, index)
        return m.SignReply(predicate.request, index, sealed_for(session, predicate.request, batch.made))

    def _check_policy(self, decided: int, index: int) -> None:
        """Files take minutes to be read, if their sender wants it so; what was allowed then may be forbidden now.

        Args:
            decided: index of the policy that allowed it; index: of the entry that says what was signed, or will.

        Raises:
            PolicyChanged.
        """
        if self._book.policy_at(index) != decided:
            raise PolicyChanged("Another policy was adopted while the files were read or signed.")

    def _allowed(self, session: Session, body: s.AskSign) -> _Allowed:
        """The policy's decision, kept for the session until another policy is adopted."""
        question = (self._book.state.policies[-1], body.project, body.key, body.formats)
        known = session.decisions.get(question)
        if isinstance(known, _Allowed):
            return known
        signing = self._book.policy.decide_signatures(session.who, body.project, body.key, body.formats)
        makes = tuple((self._book.signing_key(one.key), get_format(name)) for one in signing for name in one.formats)
        policy = self._book.policy
        profiles, longest = policy.profiles(body.project, signing), policy.tuf_longest(body.project, signing)
        build = decide_build(policy, session.who, signing)
        allowed = _Allowed(policy, makes, signing, requester_of(session), profiles, build, longest)
        session.decisions[question] = allowed
        return allowed

    async def _prepare(self, everything: Sequence[_Given], allowed: _Allowed, context: Context) -> Batch:
        batch = Batch()
        forms = [form for _, form in allowed.makes]
        for given in everything:
            try:
                artifact = await self._artifact(given, forms)
                check_images(allowed.policy, context.project, allowed.signing, [artifact.image])
                work = [Work(artifact, key, form, form.prepare(artifact, key, context)) for key, form in allowed.makes]
                tuf = [reserve(self._book.state.tuf, artifact, key, form) for key, form in allowed.makes]
            except HsmpubError as error:
                batch.made.append(m.MadeSignature(given.name, "", "", "", b"", Problem.of(error)))
                continue
            digest = {"sha256": artifact.state.digest().hex()}
            batch.subjects.append(Subject(given.name, digest, uri_of(artifact.image)))
            batch.work += work
            batch.tuf += [facts for facts in tuf if facts is not None]
        return batch

    async def _artifact(self, given: _Given, forms: Sequence[Format]) -> Artifact:
        if isinstance(given, Artifact):
            return given
        if isinstance(given, s.HashState):
            return Artifact(given.name, Sha256State.of_state(given), given.details, given.image)
        return msgspec.structs.replace(await self._artifacts.check(given, forms), image=given.image)
