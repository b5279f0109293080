"""A keeper in this process: the real one, with its real log arithmetic, over keys in software and a store that fails
on demand. For faults that cannot be had, or not at the right moment, from real devices."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256, SHA512
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from deploy.demo.servers.issuer import Issuer
from hsmpub.envelope.header import Form
from hsmpub.envelope.reseal import reseal
from hsmpub.home import Home
from hsmpub.hsm.config import HsmConfig
from hsmpub.keeper import attempts, live
from hsmpub.keeper.book import Book
from hsmpub.keeper.clock import KernelClock
from hsmpub.keeper.parts import KeeperParts
from hsmpub.keeper.service import Keeper
from hsmpub.model import entry as e
from hsmpub.model import submission as s
from hsmpub.model.digest import sha256_hex
from hsmpub.model.key import KeyKind, KeyRecord
from hsmpub.model.personal import AskCredential, AskPolicy, AskRoster, PersonalBody
from hsmpub.model.statement import APPROVAL_NAMESPACE, REFUSAL_NAMESPACE, REQUEST_NAMESPACE, pae
from hsmpub.model.terms import UNLIMITED, Terms
from hsmpub.secret.page import SecretPage
from hsmpub.shares.pending import PendingSets
from hsmpub.shares.record import HolderRecord, RecoveryRecord, UnsealRecord
from hsmpub.shares.verifier import holder_message
from hsmpub.tlog.head import Head, HeadFile
from hsmpub.tlog.log import Log
from hsmpub.tlog.memory import MemoryStore
from hsmpub.tlog.merkle import EMPTY_ROOT
from hsmpub.tlog.note import VerifierKey
from hsmpub.tlog.rules import LogUnavailable
from hsmpub.tlog.store import Commit, make_stamp
from hsmpub.wire import messages as m
from tests.approval.ssh_signers import armor, envelope, signed_data, string
from tests.envelope.team import team
from tests.service.jobs import NIGHTLY, RELEASE, Job, release, store

RELEASE_KEY = ec.derive_private_key(4711, ec.SECP256R1())
LOG_SIGNER = Ed25519PrivateKey.from_private_bytes(b"l" * 32)
LOG_KEY = VerifierKey("keeper.example/log", LOG_SIGNER.public_key().public_bytes_raw())
#: Keys beside: name → private half, kind, formats.
MORE_KEYS: dict[str, tuple[Any, KeyKind, tuple[str, ...]]] = {
    "minisign": (Ed25519PrivateKey.from_private_bytes(b"m" * 32), "ed25519", ("minisign",)),
}
#: Chains of those that have one, in PEM.
CERTIFICATES: dict[str, str] = {}
PEOPLE = {
    name: Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())
    for name in ("release-manager", "sdk-lead", "second-lead", "security-officer")
}
GROUPS = {"release-manager": "managers", "sdk-lead": "sdk-leads", "second-lead": "sdk-leads",
          "security-officer": "security"}  # fmt: skip
HOLDERS = ("holder-1", "holder-2", "holder-3")
SHARE_KEYS = {
    name: Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"share of " + name.encode()).digest())
    for name in HOLDERS
}
POLICY = """
[issuer.ci]
url = "{issuer}"
audience = "hsmpub-demo"
loopback = true
[target.index]
kind = "pypi"
url = "http://127.0.0.1:1/upload/"
index = "http://127.0.0.1:1/simple/"
credential = "index"
loopback = true
[project.hsmpub]
requesters = [{{ issuer = "ci", repository = "example/hsmpub", ref = "refs/heads/release/*" }}]
sign = [{{ key = "release", formats = ["sshsig", "dsse"] }}]
publish = ["index"]
approvals = [{{ group = "managers", count = 1 }}, {{ group = "sdk-leads", count = 1 }}]
expires = "72h"
[project.nightly]
requesters = [{{ issuer = "ci", repository = "example/nightly" }}]
sign = [{{ key = "routine", formats = ["sshsig"] }}, {{ key = "minisign", formats = ["minisign"] }}]
approvals = []
[administration.policy]
approvals = [{{ group = "managers", count = 1 }}, {{ group = "security", count = 1 }}]
[administration.roster]
approvals = [{{ group = "security", count = 1 }}]
[administration.credential]
approvals = [{{ group = "security", count = 1 }}]
[administration.decrypt]
approvals = [{{ group = "security", count = 1 }}]
expires = "2h"
"""


class FaultyStore(MemoryStore):
    """Refuses, or holds back, commits of entries of one kind (`refuse`, `hold`: kinds of hsmpub.model.entry)."""

    def __init__(self) -> None:
        super().__init__()
        self.refuse = ""
        self.hold = ""
        self.held = threading.Event()
        self.released = threading.Event()

    def commit(self, commit: Commit) -> None:
        if self.hold and _has(commit, self.hold):
            self.held.set()
            assert self.released.wait(30)
        if self.refuse and _has(commit, self.refuse):
            raise LogUnavailable("The disk of the log is full.")
        super().commit(commit)

    def release(self) -> None:
        self.hold = ""
        self.released.set()


def _has(commit: Commit, kind: str) -> bool:
    return any(kind == "*" or b'"kind":"%b"' % kind.encode() in entry for entry in commit.entries)


class SoftSigners:
    """Signs as `hsmpub.hsm.Signers` does, with keys in software. `before`: awaited before each signature."""

    alive = 1
    fewer = ""

    def __init__(self) -> None:
        self.before: Callable[[str], Awaitable[None]] | None = None
        self.wrong_key = False
        self.signed = 0
        self.leases = 0
        self.opened = 0
        self.closed = False
        self.protections = {"files": "on"}

    async def sign(self, key: str, items: Sequence[bytes], *, hash: str = "sha256") -> list[bytes]:  # noqa: A002
        if self.before is not None:
            await self.before(key)
        self.signed += len(items)
        if key == "log":
            return [LOG_SIGNER.sign(item) for item in items]
        private = MORE_KEYS[key][0] if key in MORE_KEYS else RELEASE_KEY
        if isinstance(private, Ed25519PrivateKey):
            assert hash == "none"
            return [private.sign(item) for item in items]
        if isinstance(private, rsa.RSAPrivateKey):
            algorithm = utils.Prehashed({"sha256": SHA256(), "sha512": SHA512()}[hash])
            return [private.sign(item, padding.PKCS1v15(), algorithm) for item in items]
        if self.wrong_key:
            private = ec.derive_private_key(4712, ec.SECP256R1())
        made = []
        for item in items:
            r, other = utils.decode_dss_signature(private.sign(item, ec.ECDSA(utils.Prehashed(SHA256()))))
            made.append(r.to_bytes(32, "big") + other.to_bytes(32, "big"))
        return made

    async def lease_secret(self, sealed: bytes, *, aad: bytes, to: bytes, info: bytes) -> bytes:
        self.leases += 1
        return b"box"

    async def seal_secret(self, box: bytes, *, private: bytes, info: bytes, aad: bytes) -> bytes:
        return b"sealed " + hashlib.sha256(box).digest()

    async def reseal_header(self, key: str, form: Form, header: bytes, recipient: str) -> bytes:
        if self.before is not None:
            await self.before(key)
        self.opened += 1
        return reseal(header, form, team().key, recipient, team().decrypt)

    def close(self) -> None:
        self.closed = True


class OpenAttempt:
    """Takes any share of a holder: for what happens around an attempt, not inside it."""

    def __init__(self, now: int, lifetime: int) -> None:
        self.attempt, self.key, self.expires_at = secrets.token_bytes(16), b"\x02" * 32, now + lifetime
        self.by_terms: dict[bytes, tuple[str, ...]] = {}
        self.is_open = True
        self.protections = {"files": "the kernel has none"}

    @property
    def is_complete(self) -> bool:
        return any(len(held) >= 3 for held in self.by_terms.values())

    @classmethod
    async def start(cls, record: UnsealRecord, *, now: int, lifetime: int) -> OpenAttempt:
        return cls(now, lifetime)

    async def hand_in(self, holder: str, box: bytes, terms: bytes = b"") -> tuple[str, ...]:
        moved = {name: tuple(h for h in held if h != holder) for name, held in self.by_terms.items()}
        self.by_terms = {name: held for name, held in moved.items() if held}
        self.by_terms[terms] = (*self.by_terms.get(terms, ()), holder)
        return self.by_terms[terms]

    async def take_pin(self, page: SecretPage) -> None:
        page.take(bytearray(b"0123"))

    async def close(self) -> None:
        self.is_open = False


class Kept:
    """One keeper with everything around it. `offset`: seconds by which its clock is ahead."""

    def __init__(
        self, folder: Path, issuer: Issuer, protections: dict[str, str] | None = None,
        record: UnsealRecord | None = None, recovery: RecoveryRecord | None = None,
        identity: Ed25519PrivateKey | None = None, keys: tuple[KeyRecord, ...] = (), policy: str = "",
        pending: PendingSets | None = None,
    ) -> None:  # fmt: skip
        self.folder = folder
        self.more_keys = keys
        self.issuer = issuer
        self.offset = 0
        #: what the kernel says of its clock
        self.kernel = KernelClock(True, 1000)
        self.signers = SoftSigners()
        #: awaited while the signers log in
        self.logging_in: Callable[[], Awaitable[None]] | None = None
        self.store = FaultyStore()
        self.home = Home(folder)
        self.policy = POLICY.format(issuer=issuer.url) + policy
        for name in ("artifacts", "ceremonies", "keeper"):
            (folder / name).mkdir()
        head = HeadFile.create(folder / "head", Head(0, EMPTY_ROOT))
        self.store.commit(Commit(0, [], {}, make_stamp(head.key, 0, EMPTY_ROOT)))
        log = Log(self.store, head, LOG_KEY)
        identity = identity or Ed25519PrivateKey.generate()
        asyncio.run(log.append([e.dump_entry(entry) for entry in self._beginning(identity)]))
        self.keeper = Keeper(
            KeeperParts(
                home=self.home,
                log=log,
                record=record or _record(),
                recovery=recovery or _recovery(),
                hsm=HsmConfig(module="none", token="none", lock=""),
                identity=identity,
                workers=1,
                protections=protections or {},
                pending=pending,
                clock=lambda: time.time() + self.offset,
                kernel=lambda: self.kernel,
            )
        )

    def _beginning(self, identity: Ed25519PrivateKey) -> list[e.Entry]:
        pem = _pem(RELEASE_KEY)
        keys = (
            KeyRecord("release", "p256", pem, 1, ("openpgp", "sshsig", "dsse")),
            KeyRecord("routine", "p256", pem, 1, ("openpgp", "sshsig", "dsse")),
            KeyRecord("log", "ed25519", "", 1),
            KeyRecord("sealing", "aes256", "", 1),
            team().key,
            *self.more_keys,
            *(
                KeyRecord(name, kind, _pem(key), 1, formats, certificates=CERTIFICATES.get(name, ""))
                for name, (key, kind, formats) in MORE_KEYS.items()
            ),
        )
        now, text = 1, roster()
        public = identity.public_key().public_bytes_raw().hex()
        return [
            e.Genesis(now, "keeper.example", "00" * 32, 1, public, str(LOG_KEY), keys),
            e.PolicyAdopted(now, self.policy, sha256_hex(self.policy.encode())),
            e.RosterAdopted(now, text, sha256_hex(text.encode())),
            e.IssuerKeys(now, "ci", self.issuer.jwks_bytes().decode()),
        ]

    # --- what people and jobs do ---

    async def call(self, message: m.FrontMessage) -> m.FrontReply:
        """As a front calls: so that `tests.service.jobs.Job` works here."""
        return await self.keeper.front(message)

    async def unseal(self, terms: Terms = UNLIMITED) -> None:
        for holder in HOLDERS:
            await self.hand_in(holder, terms)

    async def attempt(self, terms: Terms = UNLIMITED) -> m.AttemptReply:
        reply = await self.call(m.GetAttempt(terms))
        assert isinstance(reply, m.AttemptReply)
        return reply

    async def hand_in(self, holder: str, terms: Terms = UNLIMITED) -> m.HandInReply:
        attempt = await self.attempt(terms)
        reply = await self.call(m.HandIn(attempt.attempt, holder, b"box", attempt.terms))
        assert isinstance(reply, m.HandInReply)
        return reply

    async def job(self, **claims: str) -> Job:
        return await Job.open(self, self.issuer, **claims)  # type: ignore[arg-type]

    async def nightly(self) -> Job:
        return await self.job(**NIGHTLY)

    async def release(self, version: str = "1.0", content: bytes = b"wheel", **claims: str) -> m.RequestView:
        job = await self.job(**{**RELEASE, **claims})
        view = await job.ask(release(version, store(self.folder, "x.whl", content)))
        assert isinstance(view, m.RequestView)
        return view

    async def approve(self, view: m.RequestView, *people: str) -> None:
        for person in people:
            signature = ssh_signature(person, pae(view.statement), APPROVAL_NAMESPACE)
            await self.call(m.Approve(view.request, person, signature))

    async def decline(self, view: m.RequestView, person: str) -> None:
        signature = ssh_signature(person, pae(view.statement), REFUSAL_NAMESPACE)
        await self.call(m.Decline(view.request, person, signature))

    async def ask(self, body: PersonalBody) -> m.RequestView:
        data = s.dump_submission(body)
        reply = await self.call(m.SubmitPersonal(data, ssh_signature(body.person, data, REQUEST_NAMESPACE)))
        assert isinstance(reply, m.RequestView)
        return reply

    async def adopt_roster(self, text: str) -> m.RequestView:
        view = await self.ask(AskRoster("sdk-lead", _nonce(), self.now(), text))
        await self.approve(view, "security-officer")
        await self.settle()
        return await self.see(view)

    async def ask_policy(self, text: str) -> m.RequestView:
        return await self.ask(AskPolicy("sdk-lead", _nonce(), self.now(), text))

    async def seal_credential(self, name: str = "index") -> None:
        view = await self.ask(AskCredential("sdk-lead", _nonce(), self.now(), name, "Ym94"))
        await self.approve(view, "security-officer")
        await self.settle()

    # --- what there is to see ---

    def now(self) -> int:
        return int(time.time()) + self.offset

    async def see(self, view: m.RequestView) -> m.RequestView:
        now = await self.call(m.GetRequest(view.request))
        assert isinstance(now, m.RequestView)
        return now

    async def see_as(self, view: m.RequestView, state: str) -> m.RequestView:
        """Asks until it is in this state."""
        for _ in range(1000):
            seen = await self.see(view)
            if seen.state == state:
                return seen
            await asyncio.sleep(0.01)
        raise AssertionError(f"it is {seen.state}, not {state}")

    async def settle(self) -> None:
        """Until whatever was approved is carried out, or waits."""
        while tasks := self.keeper.executing.under_way:
            await asyncio.wait(tasks)

    def entries(self) -> list[e.Entry]:
        return [e.load_entry(data) for _, data in self.keeper.book.log.iterate()]

    def kinds(self) -> list[str]:
        return [type(entry).__name__ for entry in self.entries()]

    def start_again(self) -> Book:
        """What a restart finds: the same files and rows, folded anew."""
        self.keeper.book.log.close()
        log = Log(self.store, HeadFile.open(self.folder / "head"), LOG_KEY)
        try:
            return Book(log)
        finally:
            log.close()


@contextmanager
def kept(
    folder: Path, patch: pytest.MonkeyPatch, protections: dict[str, str] | None = None,
    record: UnsealRecord | None = None, identity: Ed25519PrivateKey | None = None,
    keys: tuple[KeyRecord, ...] = (), policy: str = "", pending: PendingSets | None = None,
) -> Iterator[Kept]:  # fmt: skip
    issuer = Issuer()
    made = Kept(folder, issuer, protections, record, identity=identity, keys=keys, policy=policy, pending=pending)
    patch.setattr(attempts, "UnsealAttempt", OpenAttempt)

    class Started:
        @staticmethod
        async def start(*_: object, **__: object) -> SoftSigners:
            made.signers.closed = False
            if made.logging_in is not None:
                await made.logging_in()
            return made.signers

    patch.setattr(live, "Signers", Started)
    try:
        yield made
    finally:
        made.store.release()
        made.keeper.artifacts.close()
        made.keeper.book.log.close()
        issuer._server.server_close()


def roster(*, revoked: Sequence[str] = (), actors: dict[str, str] | None = None, without: Sequence[str] = ()) -> str:
    """The people as TOML. actors: person → what they are called at the issuer (`ci:login`)."""
    tables = []
    for name, group in GROUPS.items():
        if name not in without:
            line = PEOPLE[name].public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
            actor = f'ci_actors = ["{actors[name]}"]\n' if actors and name in actors else ""
            tables.append(
                f'[person.{name}]\ngroups = ["{group}"]\nkeys = ["{line}"]\n{actor}'
                f"revoked = {str(name in revoked).lower()}\n"
            )
    return "\n".join(tables)


def share_signature(holder: str, kind: str, payload: bytes) -> bytes:
    """As a holder signs with their share."""
    return SHARE_KEYS[holder].sign(holder_message(kind, payload))


def ssh_signature(person: str, message: bytes, namespace: str) -> bytes:
    """What `ssh-keygen -Y sign` makes. Source: OpenSSH PROTOCOL.sshsig."""
    public = string(b"ssh-ed25519") + string(PEOPLE[person].public_key().public_bytes_raw())
    signed = PEOPLE[person].sign(signed_data(message, namespace))
    return armor(envelope(public, string(b"ssh-ed25519") + string(signed), namespace=namespace.encode()))


def _record() -> UnsealRecord:
    holders = tuple(
        HolderRecord(
            name=name,
            index=i,
            commitment="00" * 32,
            recipient="",
            fingerprint="",
            verifier=SHARE_KEYS[name].public_key().public_bytes_raw().hex(),
        )
        for i, name in enumerate(HOLDERS)
    )
    return UnsealRecord(epoch=1, identifier=1, extendable=True, iteration_exponent=1, threshold=3, holders=holders,
                        check="00" * 32, pin_box="")  # fmt: skip


def _recovery() -> RecoveryRecord:
    of_unseal = {name: getattr(_record(), name) for name in _record().__struct_fields__ if name != "pin_box"}
    return RecoveryRecord(**of_unseal, public_key="", wrapping_key_box="", so_pin_box="", identity_box="", wrapped=())


def _pem(private: Any) -> str:
    pem: bytes = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem.decode()


def _nonce() -> str:
    return secrets.token_hex(16)
