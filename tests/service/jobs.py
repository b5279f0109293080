"""A CI job that speaks to the keeper's own socket, as a compromised front would."""

from __future__ import annotations

import hashlib
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from deploy.demo.servers.issuer import Issuer
from hsmpub.formats.sha256state import Sha256State
from hsmpub.model import submission as s
from hsmpub.wire import messages as m
from hsmpub.wire.client import FrontChannel
from hsmpub.wire.session import bound_audience, request_mac, session_mac_key

Front = FrontChannel
AUDIENCE = "hsmpub-demo"
NIGHTLY = {"repository": "example/nightly", "ref": "refs/heads/main"}
RELEASE = {"repository": "example/hsmpub", "ref": "refs/heads/release/1", "actor": "ci-job"}


class Job:
    """A session of one job, with its MAC key. private: the key that its token named."""

    def __init__(self, front: Front, session: bytes, key: bytes, private: X25519PrivateKey) -> None:
        self.front, self.session, self.key, self.private = front, session, key, private
        self.counter = 0

    @classmethod
    async def open(cls, front: Front, issuer: Issuer, **claims: str) -> Job:
        private = X25519PrivateKey.generate()
        public = private.public_key().public_bytes_raw()
        token = issuer.token(bound_audience(AUDIENCE, public), **claims).encode()
        reply = await front.call(m.OpenSession(token, public))
        assert isinstance(reply, m.SessionReply)
        key = session_mac_key(
            private, reply.keeper_key, session=reply.session, client_key=public, keeper_key=reply.keeper_key
        )
        return cls(front, reply.session, key, private)

    def message(self, body: s.CiBody) -> m.Submit:
        """An authentic request with the next counter."""
        self.counter += 1
        data = s.dump_submission(body)
        return m.Submit(self.session, self.counter, request_mac(self.key, self.counter, data), data)

    async def ask(self, body: s.CiBody) -> m.FrontReply:
        return await self.front.call(self.message(body))


def routine(*names: str, project: str = "nightly", form: str = "sshsig") -> s.AskSign:
    """Routine signing of small invented files."""
    states = tuple(Sha256State.of(name.encode()).to_state(name) for name in names or ("a.bin",))
    return s.AskSign(project=project, formats=(form,), states=states)


def store(home: Path, name: str, content: bytes) -> s.FileRef:
    """Puts bytes where the front puts uploads."""
    digest = hashlib.sha256(content).hexdigest()
    path = home / "artifacts" / digest[:2] / digest
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return s.FileRef(name, digest, len(content))


def release(version: str, *files: s.FileRef, project: str = "hsmpub") -> s.AskRelease:
    return s.AskRelease(project=project, version=version, commit="c" * 40, files=files)
