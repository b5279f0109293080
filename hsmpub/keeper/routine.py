"""Routine signing: no approval needed, one call, many files. The hot path.

One policy decision, one trip to the HSM for the whole batch, one durable log entry; then the reply. A file
that cannot be signed, or takes a format that the policy does not grant, or not for files of its name, fails alone.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import msgspec

from hsmpub.errors import HsmpubError, again
from hsmpub.formats.context import Context, context_of
from hsmpub.formats.format import Artifact
from hsmpub.formats.output_names import OutputNames
from hsmpub.keeper.allowed import Allowed, keys_for
from hsmpub.keeper.answering import check_answerable, sealed_for
from hsmpub.keeper.artifacts import Artifacts
from hsmpub.keeper.batch import Batch
from hsmpub.keeper.book import Book
from hsmpub.keeper.given import GivenFiles, Read, not_made
from hsmpub.keeper.making import make, plan
from hsmpub.keeper.revoking import Revoking, check_one_list
from hsmpub.keeper.sessions import Session
from hsmpub.keeper.submitting import check_policy_still, requester_of, uri_of
from hsmpub.keeper.tuf import reserve
from hsmpub.keeper.unsealing import Unsealing
from hsmpub.model import entry as e
from hsmpub.model import submission as s
from hsmpub.model.predicate import Predicate
from hsmpub.model.statement import Annotations, Subject, dump_statement
from hsmpub.policy.attesting import check_predicate, decide_build
from hsmpub.wire import messages as m

#: A routine statement is carried out at once; it says so by this short life, in seconds.
ROUTINE_SECONDS = 60
#: A job asks the same few things again and again; more are not remembered.
MOST_DECISIONS = 32


class Routine:
    """Signs what needs nobody's approval."""

    def __init__(self, book: Book, artifacts: Artifacts, unsealing: Unsealing) -> None:
        self._book = book
        self._given = GivenFiles(artifacts)
        self._unsealing = unsealing
        self._revoking = Revoking(book)

    async def sign(self, session: Session, body: s.AskSign, artifacts: Sequence[Artifact] = ()) -> m.SignReply:
        """Signs every file of the body that can be signed, and the artifacts beside it.

        Raises:
            SessionWithoutKey; the rules of hsmpub.policy and of the unsealing's terms; Sealed; those of the log when
                the entry cannot be made durable.
            FormatNotGranted, KeyRetired: no file can have all its formats.
            PolicyChanged: another policy was adopted meanwhile; nothing leaves.
        """
        check_answerable(session, body.formats)
        allowed, policy = self._allowed(session, body), self._book.state.policies[-1]
        check_predicate(allowed.policy, body.project, allowed.signing, body.attest)
        self._unsealing.check_project(body.project)
        everything = (*body.everything, *artifacts)
        check_one_list(allowed.predicate.crl, len(everything))
        read = await self._given.read(everything, body.project, allowed)
        if allowed.predicate.crl is None:
            return await self._sign(session, body, policy, allowed, read)
        async with self._revoking.turn(allowed.signing):
            return await self._sign(session, body, policy, allowed, read)

    async def _sign(
        self, session: Session, body: s.AskSign, policy: int, allowed: Allowed, read: Sequence[Read]
    ) -> m.SignReply:
        check_policy_still(self._book, policy)
        now, names = self._book.now(), secrets.token_hex(24)
        predicate = msgspec.structs.replace(
            allowed.predicate,
            request=names[:16],
            nonce=names[16:],
            requested_at=now,
            expires_at=now + ROUTINE_SECONDS,
            attest=body.attest,
        )
        context = context_of(predicate, self._book.genesis.service, now)
        context = self._revoking.with_log(context, allowed.signing[0].key)
        batch = self._prepare(read, allowed, context)
        if not batch.work:
            return m.SignReply(predicate.request, -1, tuple(batch.made))
        with self._unsealing.signing(body.project, len(batch.work)) as signers:
            batch.take(await make(batch.work, signers, context))
            if batch.tuf:
                predicate = msgspec.structs.replace(predicate, tuf=tuple(batch.tuf))
            check_policy_still(self._book, policy)
            statement = dump_statement(tuple(batch.subjects), predicate).decode()
            index = await self._book.record_routine(
                e.RoutineSigned(now, predicate.request, session.id, statement, tuple(batch.outputs), tuple(batch.said))
            )
            check_policy_still(self._book, policy, index)
        return m.SignReply(predicate.request, index, sealed_for(session, predicate.request, batch.made))

    def _allowed(self, session: Session, body: s.AskSign) -> Allowed:
        """The policy's decision, kept for the session until another policy is adopted.

        Raises:
            FormatNotGranted, KeyRetired: there is no file that can have all its formats. The rules of hsmpub.policy.
        """
        question = (self._book.state.policies[-1], body.project, body.key, body.formats)
        known = session.decisions.get(question)
        if isinstance(known, Allowed):
            return known
        policy = self._book.policy
        granted, refused = policy.decide_granted(session.who, body.project, body.key, body.formats)
        makes, signing = keys_for(granted, self._book, refused)
        predicate = Predicate(
            request="",
            kind="sign",
            requester=requester_of(session),
            policy_sha256=self._book.policy_sha256,
            nonce="",
            requested_at=0,
            expires_at=0,
            project=body.project,
            sign=signing,
            build=decide_build(policy, session.who, signing),
            tuf_longest=policy.tuf_longest(body.project, signing),
            **msgspec.structs.asdict(policy.profiles(body.project, signing)),
        )
        allowed = Allowed(policy, makes, signing, refused, predicate, policy.patterns(body.project))
        if not refused:  # of formats that no policy knows, there is no end
            if len(session.decisions) >= MOST_DECISIONS:  # formats can be named in very many orders
                session.decisions.clear()
            session.decisions[question] = allowed
        elif body.attest is not None or not any(allowed.covers(file.formats) for file in body.everything):
            raise again(next(iter(refused.values())))  # a predicate is for all or for none
        return allowed

    def _prepare(self, read: Sequence[Read], allowed: Allowed, context: Context) -> Batch:
        batch, names = Batch(), OutputNames() if len(allowed.makes) > 1 else None
        for one in read:
            if isinstance(one, m.MadeSignature):
                batch.made.append(one)
                continue
            artifact, own = one
            try:
                work = plan(artifact, own.makes, context)
                if names is not None:  # of one format, different names make different ones
                    names.take(artifact.name, [form.name for _, form in own.makes])
                if own.signs_tuf:
                    reserved = [reserve(self._book.state.tuf, artifact, key, form) for key, form in own.makes]
                    batch.tuf += [facts for facts in reserved if facts is not None]
            except HsmpubError as error:
                batch.made.append(not_made(artifact.name, error))
                continue
            digest = {"sha256": artifact.state.digest().hex()}
            only = None if len(work) == len(allowed.makes) else Annotations(tuple(one.format.name for one in work))
            batch.subjects.append(Subject(artifact.name, digest, uri_of(artifact.image), only))
            batch.work += work
        return batch
