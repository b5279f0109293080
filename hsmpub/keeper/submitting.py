"""Step 1 and 2 of a request's way: who asks, may they, and what exactly is asked: the statement."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import msgspec

from hsmpub.errors import Conflict
from hsmpub.formats.output_names import NameOfASignature, OutputNames, check_one_inside
from hsmpub.formats.registry import get_format
from hsmpub.keeper.artifacts import Artifacts
from hsmpub.keeper.book import Book
from hsmpub.keeper.certifying import certified
from hsmpub.keeper.entering import MAX_PENDING_OF_A_PROJECT, check_room, enter
from hsmpub.keeper.sessions import Session
from hsmpub.keeper.tuf import shown_facts
from hsmpub.model import submission as s
from hsmpub.model.attested import Build
from hsmpub.model.image import SCHEME
from hsmpub.model.predicate import Predicate, TufFacts
from hsmpub.model.request_state import Request
from hsmpub.model.statement import Annotations, Subject
from hsmpub.policy import ReleaseGrant
from hsmpub.policy.attesting import check_images, check_predicate, decide_build


class VersionAlreadyRequested(Conflict):
    advice = "One version has one release. Raise the version, or look at the request that stands."


class PolicyChanged(Conflict):
    advice = "Ask again."
    retry_is_safe = True


def check_policy_still(book: Book, decided: int, index: int | None = None) -> None:
    """Reading, signing and logging take time; what was allowed before may be forbidden after.

    Args:
        decided: index of the policy that allowed it; index: of the entry that says what was signed; None: now.

    Raises:
        PolicyChanged.
    """
    if (book.state.policies[-1] if index is None else book.policy_at(index)) != decided:
        raise PolicyChanged("Another policy was adopted while it was read or signed.")


class Submitting:
    """Turns what CI jobs submit into requests."""

    def __init__(self, book: Book, artifacts: Artifacts) -> None:
        self._book = book
        self._artifacts = artifacts

    async def release(self, session: Session, body: s.AskRelease) -> Request:
        """A release of files that were uploaded before; the same release asked again is the same request.

        Raises:
            VersionAlreadyRequested: this version stands with other files or another commit.
            NameOfASignature: a file has the name of a signature of another one.
            FileNotCovered, TargetWithoutFiles: the policy has no format for a file, or no file for a target.
            PolicyChanged: while files were hashed; they would be signed as, or say, something else, or go elsewhere.
            KeyRetired: the policy names a key that signs nothing any more.
            The rules of hsmpub.policy and of the artifact store.
        """
        rule = self._decide(session, body)
        self._check_said(session, body, rule)
        self._check_keys(rule)
        profiles = self._book.policy.profiles(body.project, rule.sign)
        tuf = await self._look_into(body, rule)
        certify = await certified(self._book, self._artifacts, body.files, rule)
        async with self._book.turn():
            # Decided again: another policy may have been adopted while the files were hashed.
            read, rule = rule, self._decide(session, body)
            build = self._check_said(session, body, rule)
            others = (read.sign, read.files, read.targets) != (rule.sign, rule.files, rule.targets)
            if others or self._book.policy.profiles(body.project, rule.sign) != profiles:
                raise PolicyChanged("Another policy was adopted while the files were read.")
            subjects = tuple(_subject(file, rule) for file in body.files)
            standing = self._standing(body, subjects)
            if standing is not None:
                return standing
            check_room(self._book, "project", body.project, MAX_PENDING_OF_A_PROJECT)
            now = self._book.now()
            return await enter(
                self._book,
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

    def _decide(self, session: Session, body: s.AskRelease) -> ReleaseGrant:
        """What the policy says of it. Raises NameOfASignature and the rules of hsmpub.policy."""
        rule = self._book.policy.decide_release(session.who, body.project, body.version, [f.name for f in body.files])
        check_output_names(body.files, rule)
        return rule

    async def _look_into(self, body: s.AskRelease, rule: ReleaseGrant) -> tuple[TufFacts, ...]:
        """Every file is there, and of the kinds that its formats are made for: nobody approves what cannot be signed.

        Returns: what TUF metadata among them says, for approvers to read."""
        shown, longest = [], self._book.policy.tuf_longest(body.project, rule.sign)
        for file in body.files:
            sign = rule.of(file.name)
            forms = [get_format(name) for one in sign for name in one.formats]
            artifact = await self._artifacts.check(file, forms)
            shown += shown_facts(self._book, artifact, sign, longest)
        return tuple(shown)

    def _check_said(self, session: Session, body: s.AskRelease, rule: ReleaseGrant) -> Build | None:
        """What the policy lets signatures say beside the file. Raises the rules of hsmpub.policy.attesting."""
        policy = self._book.policy
        for file in body.files:
            check_images(policy, body.project, rule.of(file.name), [file.image])
        check_predicate(policy, body.project, rule.sign, body.attest)
        return decide_build(policy, session.who, rule.sign)

    def _check_keys(self, rule: ReleaseGrant) -> None:
        """Nobody is asked to approve what no key can sign. Raises KeyRetired."""
        targets = (self._book.policy.targets[name] for name in rule.publish)
        for name in [*(signing.key for signing in rule.sign), *(target.key for target in targets if target.key)]:
            self._book.signing_key(name)

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


def check_output_names(files: Sequence[s.FileRef], grant: ReleaseGrant) -> None:
    """Every name in a release means one thing, and every file can hold what goes into it.

    Raises:
        NameOfASignature, TwoSignaturesInOneFile.
    """
    names, clashing = OutputNames(file.name for file in files), []
    for file in files:
        formats = [name for signing in grant.of(file.name) for name in signing.formats]
        check_one_inside(file.name, formats)
        try:
            names.take(file.name, formats)
        except NameOfASignature as e:
            clashing.append(e)
    if clashing:
        raise NameOfASignature.of(clashing)


def _subject(file: s.FileRef, rule: ReleaseGrant) -> Subject:
    own = Annotations(rule.files.get(file.name), rule.targets.get(file.name))
    return Subject(file.name, {"sha256": file.sha256}, uri_of(file.image), own if own != Annotations() else None)


def uri_of(image: str) -> str:
    """How a statement's subject says that a file is the manifest of an image."""
    return SCHEME + image if image else ""


def requester_of(session: Session) -> dict[str, str]:
    """Who asks, as the statement names it: issuer, subject and the token's claims."""
    return {**session.who.as_requester(), "session": session.id}
