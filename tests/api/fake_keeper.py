"""A keeper for tests: the real socket, frames and session arithmetic; scripted answers instead of an HSM."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from hsmpub.errors import Conflict, NotFound, Unauthenticated
from hsmpub.model.digest import sha256_hex
from hsmpub.model.personal import load_personal_submission
from hsmpub.model.predicate import Predicate, Quorum
from hsmpub.model.statement import Subject, dump_statement
from hsmpub.model.submission import AskRelease, AskSign, load_ci_submission
from hsmpub.model.terms import UNLIMITED, Terms, dump_terms
from hsmpub.wire import messages as m
from hsmpub.wire.server import ChannelServer
from hsmpub.wire.session import SESSION_CONTEXT, bound_audience, request_mac, session_mac_key

NOW = 1_795_000_000
FAR = 4_000_000_000


class MacWrong(Unauthenticated):
    pass


class CounterUsed(Conflict):
    pass


class UnknownRequest(NotFound):
    advice = "See 'hsmpub release list'."


def view(request: str = "r-1", **changes: Any) -> m.RequestView:
    """A pending release of two files."""
    subjects = (
        Subject("sdk-1.0.tar.gz", {"sha256": sha256_hex(b"sdist")}),
        Subject("sdk-1.0.whl", {"sha256": sha256_hex(b"wheel")}),
    )
    predicate = Predicate(
        request=request, kind="release", requester={"issuer": "ci", "subject": "repo:acme/sdk"},
        policy_sha256=sha256_hex(b"policy"), nonce="0" * 32, requested_at=NOW, expires_at=FAR,
        approvals=(Quorum("managers", 1),), project="sdk", version="1.0", commit="a" * 40, sizes=(5, 5),
        publish=("pypi",),
    )  # fmt: skip
    facts: dict[str, Any] = {
        "request": request, "kind": "release", "project": "sdk", "version": "1.0", "state": "pending", "why": "",
        "statement": dump_statement(subjects, predicate), "expires_at": FAR, "approvals": (),
        "missing": {"managers": 1}, "publishing": (), "entries": (0,),
    }  # fmt: skip
    return m.RequestView(**{**facts, **changes})


class FakeKeeper:
    """Answers are looked up by the message's type in `script`; a callable is given the message.

    What it really does itself: it opens sessions, and checks MAC and counter of every CI request.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.identity = Ed25519PrivateKey.generate()
        self.intake = X25519PrivateKey.generate()
        self.attempt_key = X25519PrivateKey.generate()
        self.seen: list[m.FrontMessage] = []
        self.audiences: list[str] = []
        self.script: dict[type, Any] = {
            m.GetStatus: lambda _: self.status(),
            m.GetKeys: m.KeysReply((), "00" * 32),
            m.GetReady: m.ReadyReply(True, {"release": "ok"}),
            m.OpenSession: self._open,
            m.Submit: self._submit,
            m.SubmitPersonal: self._personal,
            m.GetRequest: self._request,
            m.ListRequests: m.RequestList((view(),)),
            m.GetAttempt: lambda message: self.attempt(terms=message.terms),
        }
        self.sign: Callable[[AskSign], m.SignReply] = signed
        self._sessions: dict[bytes, tuple[bytes, set[int]]] = {}
        self._server = ChannelServer(path, m.FrontCall, m.FrontAnswer, self._handle, uids={os.getuid()})

    @property
    def keeper_key(self) -> str:
        return self.identity.public_key().public_bytes_raw().hex()

    async def start(self) -> None:
        await self._server.start()

    async def stop(self) -> None:
        await self._server.close()

    async def _handle(self, message: m.FrontMessage) -> Any:
        self.seen.append(message)
        answer = self.script[type(message)]
        if callable(answer):
            answer = answer(message)
        if asyncio.iscoroutine(answer):
            answer = await answer
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _open(self, message: m.OpenSession) -> m.SessionReply:
        self.audiences.append(bound_audience("hsmpub-test", message.client_key))
        private = X25519PrivateKey.generate()
        public = private.public_key().public_bytes_raw()
        session = secrets.token_bytes(16)
        key = session_mac_key(
            private, message.client_key, session=session, client_key=message.client_key, keeper_key=public
        )
        self._sessions[session] = (key, set())
        signature = self.identity.sign(SESSION_CONTEXT + session + message.client_key + public)
        return m.SessionReply(session, public, signature, FAR)

    def _submit(self, message: m.Submit) -> Any:
        key, used = self._sessions.get(message.session, (b"", set()))
        if not key or request_mac(key, message.counter, message.body) != message.mac:
            raise MacWrong("The request's MAC does not fit its session.")
        if message.counter in used:
            raise CounterUsed("This counter was used before.")
        used.add(message.counter)
        body = load_ci_submission(message.body)
        if isinstance(body, AskRelease):
            return view(project=body.project, version=body.version)
        return self.sign(body)

    def _personal(self, message: m.SubmitPersonal) -> Any:
        body = load_personal_submission(message.body)
        return m.Done("sealed") if type(body).__name__ == "AskSeal" else view(kind=body.__struct_config__.tag)

    def _request(self, message: m.GetRequest) -> m.RequestView:
        if message.request != "r-1":
            raise UnknownRequest("There is no such request.")
        return view()

    def status(self, **changes: Any) -> m.StatusReply:
        intake = self.intake.public_key().public_bytes_raw()
        facts: dict[str, Any] = {
            "service": "hsmpub-test", "state": "unsealed", "why": "", "epoch": 1, "log_size": 7, "log_root": "00" * 32,
            "log_key": "hsmpub-test+00000000+AAAA", "keeper_key": self.keeper_key, "intake_key": intake.hex(),
            "intake_signature": self.identity.sign(b"hsmpub intake v1" + intake).hex(), "policy_sha256": "11" * 32,
            "roster_sha256": "22" * 32, "keys": {"release": "ok"}, "signers": 2,
            "protections": {"no-core-file": "on", "files": "the kernel has none"},
            "warnings": ("The disk is 91% full.",),
            "counters": {"signatures_total": 12.0},
        }  # fmt: skip
        return m.StatusReply(**{**facts, **changes})

    def attempt(
        self, accepted: tuple[str, ...] = (), terms: Terms = UNLIMITED, begun: Terms | None = None
    ) -> m.AttemptReply:
        """begun: the terms under which `accepted` are in, where those are not the ones that are asked for."""
        name, key = b"attempt-16-bytes", self.attempt_key.public_key().public_bytes_raw()
        signature = self.identity.sign(b"hsmpub attempt v1" + name + key + FAR.to_bytes(8, "big") + dump_terms(terms))
        holders = tuple(f"holder-{n}" for n in range(1, 6))
        asked = accepted if begun in (None, terms) else ()
        gathering = (self.gathered(terms if begun is None else begun, accepted),) if accepted else ()
        public = bytes.fromhex(self.keeper_key)
        return m.AttemptReply(
            name, key, signature, public, 1, 3, holders, asked, FAR, 1, progress(asked), terms, gathering
        )

    @staticmethod
    def gathered(terms: Terms, accepted: tuple[str, ...]) -> m.Gathered:
        return m.Gathered(terms, accepted, progress(accepted))


def progress(accepted: tuple[str, ...]) -> tuple[m.GroupProgress, ...]:
    """Of a quorum of three without groups."""
    return (m.GroupProgress("", 3, tuple(f"holder-{n}" for n in range(1, 6)), accepted),)


def handed_in(holder: str, accepted: tuple[str, ...], state: str) -> m.HandInReply:
    """The answer of that quorum."""
    return m.HandInReply(holder, accepted, 3, state, 1, progress(accepted))


def signed(body: AskSign) -> m.SignReply:
    """A made-up signature for every file and format."""
    key = body.key or "release"
    made = [
        m.MadeSignature(file.name, form, key, f"{file.name}.{form}", b"signature of " + file.name.encode())
        for file in body.everything
        for form in file.formats or body.formats
    ]
    return m.SignReply("r-2", 3, tuple(made))
