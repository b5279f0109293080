"""A short-lived SSH certificate for a user's or host's public key, by a profile of the policy: `ssh-keygen -L -f FILE`.

The file is the public key; type, principals, times and extensions come from the profile in the statement, so the
requester chooses none of them. There are no critical options. The nonce and the serial number follow from the request's
random name. A key that makes certificates makes nothing else: `cert-authority` lines trust it for logins.
Source: OpenSSH, PROTOCOL.certkeys.
"""

from __future__ import annotations

import base64
import hashlib

from hsmpub.errors import Invalid
from hsmpub.formats.base import Detached, prepare_message
from hsmpub.formats.context import Context
from hsmpub.formats.detail import DetailMalformed
from hsmpub.formats.format import Artifact, Claim, Prepared, check_raw
from hsmpub.formats.purposes import check_may_make
from hsmpub.formats.source import Source
from hsmpub.formats.ssh.certificate_read import read_certificate
from hsmpub.formats.ssh.key import SshPublicKey, load_ssh_key
from hsmpub.formats.ssh.sshsig import public_blob, ssh_signature, string
from hsmpub.formats.whole import whole_of
from hsmpub.model.key import KeyKind, KeyRecord

_MOST_BYTES = 4096
_KINDS = {"user": 1, "host": 2}
#: So many seconds may the clock of whoever checks be behind.
LEEWAY = 60


class SshProfileMissing(Invalid):
    advice = "The policy says in [project.NAME.ssh_certificate] what is certified."


class SshCertificate(Detached):
    """`-cert.pub`, signed with P-256, RSA-3072 (rsa-sha2-256) or Ed25519."""

    name = "ssh-certificate"
    suffix = "-cert.pub"
    key_kinds: frozenset[KeyKind] = frozenset({"p256", "rsa3072", "ed25519"})
    detail_limit = _MOST_BYTES

    def extract(self, source: Source) -> bytes:
        """The public key file."""
        if source.size > _MOST_BYTES:
            raise DetailMalformed("This is no SSH public key file.")
        line = source.read(0, source.size)
        _parse(line)
        return line

    def prepare(self, artifact: Artifact, key: KeyRecord, context: Context) -> Prepared:
        check_may_make(self, key)
        blob = _unsigned(_key_of(artifact, self), key, context)
        return prepare_message(blob, key, blob)

    def assemble(self, prepared: Prepared, signature: bytes) -> bytes:
        check_raw(prepared, signature)
        blob = prepared.parts[0] + string(ssh_signature(prepared.kind, signature))
        kind = blob[4 : 4 + int.from_bytes(blob[:4], "big")]
        return kind + b" " + base64.b64encode(blob) + b"\n"

    def read(self, output: bytes, artifact: Artifact, key: KeyRecord, context: Context | None = None) -> Claim:
        return read_certificate(output, _key_of(artifact, self), key, context)


def _unsigned(subject: SshPublicKey, key: KeyRecord, context: Context) -> bytes:
    profile = context.ssh
    if profile is None:
        raise SshProfileMissing("The request names no profile for certificates.")
    size = 4 + len(subject.type)
    kind = subject.type.removesuffix("@openssh.com") + "-cert-v01@openssh.com"
    chance = hashlib.sha256(b"hsmpub ssh certificate\0" + context.request.encode() + b"\0" + subject.blob).digest()
    return b"".join(
        (
            string(kind.encode()),
            string(chance),
            subject.blob[size:],
            chance[:8],
            _KINDS[profile.kind].to_bytes(4, "big"),
            string(f"{context.service} {context.project} {context.request}".encode()),
            string(b"".join(string(name.encode()) for name in profile.principals)),
            (context.at - LEEWAY).to_bytes(8, "big"),
            (context.at + profile.seconds).to_bytes(8, "big"),
            string(b""),
            string(b"".join(string(name.encode()) + string(b"") for name in sorted(profile.extensions))),
            string(b""),
            string(public_blob(key)),
        )
    )


def _key_of(artifact: Artifact, form: SshCertificate) -> SshPublicKey:
    return _parse(whole_of(artifact, form))


def _parse(line: bytes) -> SshPublicKey:
    try:
        return load_ssh_key(line.decode("ascii").removesuffix("\n"))
    except UnicodeDecodeError:
        raise DetailMalformed("This is no SSH public key file.") from None
