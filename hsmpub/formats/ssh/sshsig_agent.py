"""What `ssh-keygen -Y sign` and git ask an SSH agent for: a signature over SSHSIG's own structure, for one namespace.

The file here is that structure: magic, namespace, and the hash of the message under SHA-256 or SHA-512 (ssh-keygen's
default). `prepare` takes it apart and signs nothing else: no SSH login, no certificate, no other namespace begins so.

`ssh-agent-git` signs commits and tags of the requester's choice, so it has a key of its own: on a key that signs
release tags it would make those. `ssh-agent-file` is what `sshsig` is, for files hashed by ssh-keygen; but
nothing shows that the hash is one, so the last bytes are the requester's, where other formats have theirs: it has a key
of its own, too.
Source: OpenSSH, PROTOCOL.sshsig, "Signed Data"; PROTOCOL.agent.
"""

from __future__ import annotations

import base64
import hashlib
from typing import NamedTuple

from hsmpub.formats.base import Detached
from hsmpub.formats.context import Context
from hsmpub.formats.detail import DetailMalformed
from hsmpub.formats.format import Artifact, Claim, Prepared
from hsmpub.formats.purposes import check_may_make
from hsmpub.formats.source import Source
from hsmpub.formats.ssh.sshsig import assemble_sshsig, string
from hsmpub.formats.ssh.sshsig import head as sshsig_head
from hsmpub.formats.ssh.sshsig_read import read_sshsig
from hsmpub.formats.ssh.wire import Reader, WireMalformed
from hsmpub.formats.whole import whole_of
from hsmpub.model.key import KeyKind, KeyRecord

MAGIC = b"SSHSIG"
_MOST_BYTES = 256
_DIGEST_BYTES = {"sha256": 32, "sha512": 64}


class Asked(NamedTuple):
    """hash_name: of the message, whose digest is at the end of the structure."""

    namespace: str
    hash_name: str


class SshAgentSig(Detached):
    """Armoured SSHSIG of one namespace, with P-256, Ed25519 or RSA-3072 (rsa-sha2-512, as ssh-keygen asks for)."""

    key_kinds: frozenset[KeyKind] = frozenset({"p256", "rsa3072", "ed25519"})
    detail_limit = _MOST_BYTES

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.name = f"ssh-agent-{namespace}"
        self.suffix = f".{namespace}.sshsig"

    def extract(self, source: Source) -> bytes:
        """The structure."""
        if source.size > _MOST_BYTES:
            raise DetailMalformed("This is not what an SSH agent is asked to sign.")
        data = source.read(0, source.size)
        read_asked(data)
        return data

    def prepare(self, artifact: Artifact, key: KeyRecord, context: Context) -> Prepared:
        check_may_make(self, key)
        blob, asked = self._asked(artifact)
        parts = (sshsig_head(key, asked.namespace, asked.hash_name),)
        if key.kind == "ed25519":
            return Prepared(blob, "none", key.kind, parts)
        if key.kind == "rsa3072":
            return Prepared(hashlib.sha512(blob).digest(), "sha512", key.kind, parts)
        return Prepared(hashlib.sha256(blob).digest(), "sha256", key.kind, parts)

    def assemble(self, prepared: Prepared, signature: bytes) -> bytes:
        return assemble_sshsig(prepared, signature)

    def read(self, output: bytes, artifact: Artifact, key: KeyRecord, context: Context | None = None) -> Claim:
        blob, asked = self._asked(artifact)
        digest = blob[-_DIGEST_BYTES[asked.hash_name] :]
        return read_sshsig(output, digest, key, self.namespace, asked.hash_name, rsa_hash="sha512")

    def _asked(self, artifact: Artifact) -> tuple[bytes, Asked]:
        blob = whole_of(artifact, self)
        asked = read_asked(blob)
        if asked.namespace != self.namespace:
            raise DetailMalformed(f"It is asked for in another namespace than {self.namespace!r}.")
        return blob, asked


def read_asked(data: bytes) -> Asked:
    """What the bytes that an agent is to sign ask for.

    Raises:
        DetailMalformed: they are not SSHSIG's structure, in its one spelling.
    """
    reader = Reader(data)
    try:
        if reader.take(len(MAGIC)) != MAGIC:
            raise WireMalformed("not SSHSIG")
        namespace = reader.text()
        reader.exactly(0)
        hash_name = reader.text()
        reader.exactly(_DIGEST_BYTES.get(hash_name, -1))
        reader.end()
    except WireMalformed:
        raise DetailMalformed("This is not what ssh-keygen asks an agent to sign for a file.") from None
    return Asked(namespace, hash_name)


def signature_of(output: bytes) -> bytes:
    """The SSH signature in an armoured SSHSIG that was checked before: algorithm and blob, as an agent answers."""
    data = base64.b64decode(b"".join(output.splitlines()[1:-1]))
    reader = Reader(data[len(MAGIC) + 4 :])
    for _ in range(4):  # public key, namespace, reserved, hash
        reader.string()
    return reader.string()


def to_be_signed(namespace: str, hash_name: str, digest: bytes) -> bytes:
    """SSHSIG's structure, as ssh-keygen makes it."""
    return MAGIC + string(namespace.encode()) + string(b"") + string(hash_name.encode()) + string(digest)
