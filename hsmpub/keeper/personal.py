"""What people ask for: a policy, a roster, a credential, a decryption; or something that is done at once."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from hsmpub.approval import check_personal_request
from hsmpub.errors import Conflict
from hsmpub.keeper.book import Book
from hsmpub.keeper.credentials import Credentials
from hsmpub.keeper.decrypting import Decrypting
from hsmpub.keeper.entering import MAX_PENDING_OF_A_PERSON, check_room, enter
from hsmpub.model.digest import sha256_hex
from hsmpub.model.personal import AskChange, AskCredential, AskDecrypt, AskPolicy, AskRoster, PersonalBody, kind_of
from hsmpub.model.predicate import Decryption, Predicate
from hsmpub.model.request_state import Request
from hsmpub.model.statement import Subject
from hsmpub.policy import PersonalGrant


class PersonalRequestReplayed(Conflict):
    advice = "Each signed request is used once; sign it anew."


@dataclass(frozen=True)
class _Content:
    """What a person's request is about, as its statement says it."""

    subject: Subject
    sizes: tuple[int, ...] = ()
    text: str = ""
    credential: str = ""
    decrypt: Decryption | None = None


class Personal:
    """Turns the signed requests of enrolled people into requests."""

    def __init__(self, book: Book, credentials: Credentials, decrypting: Decrypting) -> None:
        self._book = book
        self._credentials = credentials
        self._decrypting = decrypting

    def check_person(self, body: PersonalBody, raw: bytes, signature: bytes) -> None:
        """The signed request of an enrolled person, fresh and never used.

        Raises:
            PersonalRequestReplayed, and the rules of hsmpub.approval.
        """
        check_personal_request(raw, body.person, body.at, signature, self._book.roster, self._book.now())
        if f"{body.person} {body.nonce}" in self._book.state.used_nonces:
            raise PersonalRequestReplayed("This signed request was already used.")

    def use_up(self, body: PersonalBody, raw: bytes, signature: bytes) -> None:
        """Checks a request that is acted on before it is logged, and remembers it: whoever saw it cannot send it again.

        Raises as `check_person`.
        """
        self.check_person(body, raw, signature)
        self._book.state.used_nonces.add(f"{body.person} {body.nonce}")

    async def submit(self, body: AskChange, raw: bytes, signature: bytes) -> Request:
        """A person's request to adopt a policy or roster, to seal a credential, or to decrypt."""
        self.check_person(body, raw, signature)
        self._decide(body)
        check_room(self._book, "person", body.person, MAX_PENDING_OF_A_PERSON)  # before anything is kept for it
        content = await self._content(body)
        async with self._book.turn():
            self.check_person(body, raw, signature)
            rule = self._decide(body)
            check_room(self._book, "person", body.person, MAX_PENDING_OF_A_PERSON)
            now = self._book.now()
            return await enter(
                self._book,
                (content.subject,),
                Predicate(
                    request=secrets.token_hex(8),
                    kind=kind_of(body),
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
                    roster_sha256=self._replaced(body),
                ),
            )

    def forget(self) -> None:
        """Drops sealed credentials that nobody adopted: who asks and withdraws, again and again, leaves nothing."""
        state = self._book.state
        needed = {one.sealed_sha256 for one in state.credentials.values()}
        asked = (r.statement for r in state.open_requests() if r.statement.predicate.credential)
        self._credentials.forget(needed | {statement.subject[0].sha256 for statement in asked})

    def _decide(self, body: AskChange) -> PersonalGrant:
        credential = body.name if isinstance(body, AskCredential) else ""
        return self._book.policy.decide_personal(kind_of(body), credential=credential)

    def _replaced(self, body: AskChange) -> str:
        """What a new roster is compared with by those who approve it: it ends with the next adoption."""
        in_force = self._book.state.roster
        return in_force.sha256 if isinstance(body, AskRoster) and in_force is not None else ""

    async def _content(self, body: AskChange) -> _Content:
        """What would be adopted, checked now, so that nobody is asked to approve what cannot load."""
        if isinstance(body, AskCredential):
            sealed = await self._credentials.seal(body)
            return _Content(Subject(f"credential/{body.name}", {"sha256": sealed}), credential=body.name)
        if isinstance(body, AskDecrypt):
            header, decrypt = self._decrypting.take_in(body)
            return _Content(Subject(body.name, {"sha256": sha256_hex(header)}), sizes=(len(header),), decrypt=decrypt)
        if isinstance(body, AskPolicy):
            self._book.load_policy(body.text)
            name = "policy.toml"
        else:
            self._book.check_roster(body.text)
            name = "roster.toml"
        return _Content(Subject(name, {"sha256": sha256_hex(body.text.encode())}), text=body.text)
