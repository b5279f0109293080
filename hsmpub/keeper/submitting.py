"""Step 1 and 2 of a request's way: who asks, may they, and what exactly is asked: the statement."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from hsmpub.approval import check_personal_request
from hsmpub.errors import Conflict, Invalid, Throttled
from hsmpub.formats.registry import get_format
from hsmpub.keeper.artifacts import Artifacts
from hsmpub.keeper.book import Book
from hsmpub.keeper.certifying import certified
from hsmpub.keeper.credentials import Credentials
from hsmpub.keeper.decrypting import Decrypting
from hsmpub.keeper.sessions import Session
from hsmpub.keeper.tuf import shown_facts, tuf_formats
from hsmpub.model import entry as e
from hsmpub.model import submission as s
from hsmpub.model.attested import Build
from hsmpub.model.digest import sha256_hex
from hsmpub.model.fold import Request
from hsmpub.model.image import SCHEME
from hsmpub.model.statement import Decryption, Predicate, Signing, Subject, TufFacts, dump_statement
from hsmpub.policy import PersonalGrant, ReleaseGrant
from hsmpub.policy.attesting import check_images, check_predicate, decide_build

#: Each waits in memory, in the log and on the list that approvers read.
MAX_PENDING_OF_A_PROJECT = 64
MAX_PENDING_OF_A_PERSON = 32


class VersionAlreadyRequested(Conflict):
    advice = "One version has one release. Raise the version, or look at the request that stands."


class NameOfASignature(Invalid):
    advice = "Name the release's own files only: its signatures are made by it."


class PersonalRequestReplayed(Conflict):
    advice = "Each signed request is used once; sign it anew."


class PolicyChanged(Conflict):
    advice = "Ask again."
    retry_is_safe = True


class TooManyPending(Throttled):
    advice = "Have them approved or refused first."
    retry_is_safe = False


@dataclass(frozen=True)
class _Content:
    """What a person's request is about, as its statement says it."""

    subject: Subject
    sizes: tuple[int, ...] = ()
    text: str = ""
    credential: str = ""
    decrypt: Decryption | None = None


class Submitting:
    """Turns submissions into requests."""

    def __init__(self, book: Book, artifacts: Artifacts, credentials: Credentials, decrypting: Decrypting) -> None:
        self._book = book
        self._artifacts = artifacts
        self._credentials = credentials
        self._decrypting = decrypting

    async def release(self, session: Session, body: s.AskRelease) -> Request:
        """A release of files that were uploaded before; the same release asked again is the same request.

        Raises:
            VersionAlreadyRequested: this version stands with other files or another commit.
            NameOfASignature: a file has the name of a signature of another one.
            PolicyChanged: while files were hashed, and certificates or tokens would say something else now.
            KeyRetired: the policy names a key that signs nothing any more.
            The rules of hsmpub.policy and of the artifact store.
        """
        rule = self._book.policy.decide_release(session.who, body.project, body.version)
        _check_output_names(body.files, rule.sign)
        self._check_said(session, body, rule)
        self._check_keys(rule)
        profiles = self._book.policy.profiles(body.project, rule.sign)
        tuf = await self._look_into(body, rule)
        certify = await certified(self._book, self._artifacts, body.project, body.files, rule.sign)
        subjects = tuple(Subject(f.name, {"sha256": f.sha256}, uri_of(f.image)) for f in body.files)
        async with self._book.turn():
            # Decided again: another policy may have been adopted while the files were hashed.
            rule = self._book.policy.decide_release(session.who, body.project, body.version)
            _check_output_names(body.files, rule.sign)
            build = self._check_said(session, body, rule)
            if self._book.policy.profiles(body.project, rule.sign) != profiles:
                raise PolicyChanged("Another policy was adopted while the files were read.")
            standing = self._standing(body, subjects)
            if standing is not None:
                return standing
            self._check_room("project", body.project, MAX_PENDING_OF_A_PROJECT)
            now = self._book.now()
            return await self._enter(
                subjects,
                Predicate(
                    request=secrets.token_hex(8),
                    kind="release",
                    requester=requester_of(session),
                    policy_sha256=self._book.policy_sha256,
                    nonce=secrets.token_hex(16),
                    requested_at=now,
                    expires_at=now + rule.expires,
                    approvals=rule.approvals,
                    project=body.project,
                    version=body.version,
                    commit=body.commit,
                    sizes=tuple(f.size for f in body.files),
                    sign=rule.sign,
                    publish=rule.publish,
                    attest=body.attest,
                    build=build,
                    tuf=tuf,
                    tuf_longest=self._book.policy.tuf_longest(body.project, rule.sign),
                    **msgspec.structs.asdict(profiles),
                    certify=certify,
                ),
            )

    async def _look_into(self, body: s.AskRelease, rule: ReleaseGrant) -> tuple[TufFacts, ...]:
        """Every file is there; what TUF metadata among them says, for approvers to read."""
        shown, longest = [], self._book.policy.tuf_longest(body.project, rule.sign)
        for file in body.files:
            artifact = await self._artifacts.check(file, tuf_formats(rule.sign))
            shown += shown_facts(self._book, artifact, rule.sign, longest)
        return tuple(shown)

    def _check_said(self, session: Session, body: s.AskRelease, rule: ReleaseGrant) -> Build | None:
        """What the policy lets signatures say beside the file. Raises the rules of hsmpub.policy.attesting."""
        policy = self._book.policy
        check_images(policy, body.project, rule.sign, [file.image for file in body.files])
        check_predicate(policy, body.project, rule.sign, body.attest)
        return decide_build(policy, session.who, rule.sign)

    def _check_keys(self, rule: ReleaseGrant) -> None:
        """Nobody is asked to approve what no key can sign. Raises KeyRetired."""
        targets = (self._book.policy.targets[name] for name in rule.publish)
        for name in [*(signing.key for signing in rule.sign), *(target.key for target in targets if target.key)]:
            self._book.signing_key(name)

    def check_person(self, body: s.PersonalBody, raw: bytes, signature: bytes) -> None:
        """The signed request of an enrolled person, fresh and never used.

        Raises:
            PersonalRequestReplayed, and the rules of hsmpub.approval.
        """
        check_personal_request(raw, body.person, body.at, signature, self._book.roster, self._book.now())
        if f"{body.person} {body.nonce}" in self._book.state.used_nonces:
            raise PersonalRequestReplayed("This signed request was already used.")

    def use_up(self, body: s.PersonalBody, raw: bytes, signature: bytes) -> None:
        """Checks a request that is acted on before it is logged, and remembers it: whoever saw it cannot send it again.

        Raises as `check_person`.
        """
        self.check_person(body, raw, signature)
        self._book.state.used_nonces.add(f"{body.person} {body.nonce}")

    async def personal(self, body: s.AskChange, raw: bytes, signature: bytes) -> Request:
        """A person's request to adopt a policy or roster, to seal a credential, or to decrypt."""
        self.check_person(body, raw, signature)
        self._decide(body)
        self._check_room("person", body.person, MAX_PENDING_OF_A_PERSON)  # before anything is kept for it
        content = await self._content(body)
        async with self._book.turn():
            self.check_person(body, raw, signature)
            rule = self._decide(body)
            self._check_room("person", body.person, MAX_PENDING_OF_A_PERSON)
            now = self._book.now()
            return await self._enter(
                (content.subject,),
                Predicate(
                    request=secrets.token_hex(8),
                    kind=s.kind_of(body),
                    requester={"person": body.person, "nonce": body.nonce},
                    policy_sha256=self._book.policy_sha256,
                    nonce=secrets.token_hex(16),
                    requested_at=now,
                    expires_at=now + rule.expires,
                    approvals=rule.approvals,
                    sizes=content.sizes,
                    text=content.text,
                    credential=content.credential,
                    decrypt=content.decrypt,
                ),
            )

    def forget(self) -> None:
        """Drops sealed credentials that nobody adopted: who asks and withdraws, again and again, leaves nothing."""
        state = self._book.state
        needed = {one.sealed_sha256 for one in state.credentials.values()}
        asked = (r.statement for r in state.open_requests() if r.statement.predicate.credential)
        self._credentials.forget(needed | {statement.subject[0].sha256 for statement in asked})

    def _decide(self, body: s.AskChange) -> PersonalGrant:
        credential = body.name if isinstance(body, s.AskCredential) else ""
        return self._book.policy.decide_personal(s.kind_of(body), credential=credential)

    async def _content(self, body: s.AskChange) -> _Content:
        """What would be adopted, checked now, so that nobody is asked to approve what cannot load."""
        if isinstance(body, s.AskCredential):
            sealed = await self._credentials.seal(body)
            return _Content(Subject(f"credential/{body.name}", {"sha256": sealed}), credential=body.name)
        if isinstance(body, s.AskDecrypt):
            header, decrypt = self._decrypting.take_in(body)
            return _Content(Subject(body.name, {"sha256": sha256_hex(header)}), sizes=(len(header),), decrypt=decrypt)
        if isinstance(body, s.AskPolicy):
            self._book.load_policy(body.text)
            name = "policy.toml"
        else:
            self._book.check_roster(body.text)
            name = "roster.toml"
        return _Content(Subject(name, {"sha256": sha256_hex(body.text.encode())}), text=body.text)

    def _check_room(self, what: str, name: str, most: int) -> None:
        """Raises TooManyPending."""
        pending = [r.statement.predicate for r in self._book.state.open_requests() if r.state == "pending"]
        mine = [p for p in pending if (p.project if what == "project" else p.requester.get("person")) == name]
        if len(mine) >= most:
            raise TooManyPending(f"{most} requests of the {what} {name} wait already.")

    def _standing(self, body: s.AskRelease, subjects: Sequence[Subject]) -> Request | None:
        """The request that already stands for this version, when it is for the same content."""
        request_id = self._book.state.releases.get((body.project, body.version))
        if request_id is None:
            return None
        request = self._book.state.requests[request_id]
        if request.state in ("declined", "expired"):
            return None
        predicate = request.statement.predicate
        standing = {(s.name, s.sha256, s.uri) for s in request.statement.subject}
        same = (predicate.commit, predicate.attest) == (body.commit, body.attest)
        if standing != {(s.name, s.sha256, s.uri) for s in subjects} or not same:
            raise VersionAlreadyRequested(
                f"{body.project} {body.version} is already request {request.id}, with other files, predicate or commit."
            )
        return request

    async def _enter(self, subjects: tuple[Subject, ...], predicate: Predicate) -> Request:
        text = dump_statement(subjects, predicate).decode()
        await self._book.record(e.Requested(self._book.now(), predicate.request, text))
        return self._book.state.requests[predicate.request]


def _check_output_names(files: Sequence[s.FileRef], sign: Sequence[Signing]) -> None:
    """Every name in a release means one thing. Raises NameOfASignature."""
    suffixes = [get_format(name).suffix for signing in sign for name in signing.formats]
    outputs = {file.name + suffix: file.name for file in files for suffix in suffixes}
    for file in files:
        if file.name in outputs:
            raise NameOfASignature(f"{file.name!r} is the name of a signature of {outputs[file.name]!r}.")


def uri_of(image: str) -> str:
    """How a statement's subject says that a file is the manifest of an image."""
    return SCHEME + image if image else ""


def requester_of(session: Session) -> dict[str, str]:
    """Who asks, as the statement names it: issuer, subject and the token's claims."""
    return {**session.who.as_requester(), "session": session.id}
