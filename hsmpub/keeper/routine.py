"""Routine signing: no approval needed, one call, many files. The hot path.

One policy decision, one trip to the HSM for the whole batch, one durable log entry; then the reply. A file
that cannot be signed fails alone.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

import msgspec

from hsmpub.errors import Broken, HsmpubError, Problem
from hsmpub.formats.format import Artifact, Context, Format, HashName, Prepared, claim_of, digests_of
from hsmpub.formats.registry import get_format
from hsmpub.formats.sha256state import Sha256State
from hsmpub.hsm.pool import Signers
from hsmpub.keeper.answering import check_answerable, sealed_for
from hsmpub.keeper.artifacts import Artifacts
from hsmpub.keeper.book import Book
from hsmpub.keeper.making import context_of
from hsmpub.keeper.revoking import Revoking
from hsmpub.keeper.sessions import Session
from hsmpub.keeper.submitting import PolicyChanged, requester_of, uri_of
from hsmpub.keeper.tuf import reserve
from hsmpub.keeper.unsealing import Unsealing
from hsmpub.model import entry as e
from hsmpub.model import submission as s
from hsmpub.model.attested import Build
from hsmpub.model.digest import sha256_hex
from hsmpub.model.key import KeyRecord
from hsmpub.model.said import Said
from hsmpub.model.statement import Predicate, Profiles, Signing, Subject, TufFacts, dump_statement
from hsmpub.policy import Policy
from hsmpub.policy.attesting import check_images, check_predicate, decide_build
from hsmpub.wire import messages as m

#: A routine statement is carried out at once; it says so by this short life, in seconds.
ROUTINE_SECONDS = 60


class OutputDiffers(Broken):
    advice = "Nothing was released. Report the format and the version of the service."


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


class _Work(NamedTuple):
    artifact: Artifact
    key: KeyRecord
    format: Format
    prepared: Prepared


@dataclass
class _Batch:
    made: list[m.MadeSignature] = field(default_factory=list)
    subjects: list[Subject] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    work: list[_Work] = field(default_factory=list)
    tuf: list[TufFacts] = field(default_factory=list)


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
            await self._make(batch, signers, context)
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

    async def _prepare(self, everything: Sequence[_Given], allowed: _Allowed, context: Context) -> _Batch:
        batch = _Batch()
        forms = [form for _, form in allowed.makes]
        for given in everything:
            try:
                artifact = await self._artifact(given, forms)
                check_images(allowed.policy, context.project, allowed.signing, [artifact.image])
                work = [_Work(artifact, key, form, form.prepare(artifact, key, context)) for key, form in allowed.makes]
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

    async def _make(self, batch: _Batch, signers: Signers, context: Context) -> None:
        """One call to the signers for each key and hash; usually that is one for the whole batch. A second round where
        signatures cover signatures."""
        outputs: list[bytes] = [b""] * len(batch.work)
        todo = dict(enumerate(batch.work))
        while todo:
            todo = await self._round(todo, signers, context, outputs)
        for work, output in zip(batch.work, outputs, strict=True):
            name, form = work.artifact.name, work.format
            batch.outputs.append(sha256_hex(output))
            if work.prepared.said is not None:
                batch.said.append(work.prepared.said)
            batch.made.append(m.MadeSignature(name, form.name, work.key.name, name + form.suffix, output))

    async def _round(
        self, todo: dict[int, _Work], signers: Signers, context: Context, outputs: list[bytes]
    ) -> dict[int, _Work]:
        """Fills in the outputs, by position. Returns: what is to be signed after that."""
        calls: dict[tuple[str, HashName], list[int]] = {}
        for position, work in todo.items():
            calls.setdefault((work.key.name, work.prepared.hash), []).append(position)
        following = {}
        for (key, hash_name), positions in calls.items():
            payloads = [digest for p in positions for digest in digests_of(todo[p].prepared)]
            raw = iter(await signers.sign(key, payloads, hash=hash_name))
            for p in positions:
                work = todo[p]
                signature = b"".join(islice(raw, work.prepared.count))
                if (then := work.format.follow(work.prepared, signature)) is not None:
                    following[p] = work._replace(prepared=then)
                else:
                    outputs[p] = assemble_and_read(work, signature, context)
        return following


def assemble_and_read(work: _Work, signature: bytes, context: Context) -> bytes:
    """The output, read back by code that shares nothing with what made it: it says what the HSM was asked to sign,
    and holds the very signature that the signer verified.

    Raises:
        OutputDiffers, and the rules of the format's reader.
    """
    output = work.format.assemble(work.prepared, signature)
    claim = work.format.read(output, work.artifact, work.key, context)
    if claim != claim_of(work.prepared, signature):
        raise OutputDiffers(f"The {work.format.name} output for {work.artifact.name} says something else.")
    return output
