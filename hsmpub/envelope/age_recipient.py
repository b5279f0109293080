"""Whom age can encrypt to here, and a file key sealed to them.

Source: C2SP age.md, "X25519 recipient stanza"; filippo.io/age/agessh; BIP 173 for Bech32.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from hsmpub.envelope.age import OAEP_LABEL, tag_of, unpadded, write_stanza
from hsmpub.envelope.bech32 import read_bech32
from hsmpub.envelope.recipient import Recipient
from hsmpub.envelope.rules import RecipientRefused
from hsmpub.errors import Invalid
from hsmpub.formats.ssh.key import SshPublicKey, load_ssh_key

_PRIME = 2**255 - 19


def load_age_recipient(text: str) -> Recipient:
    """A recipient as `age -r` takes it: `age1…`, or an SSH key without its comment.

    Raises:
        RecipientRefused.
    """
    words = text.split()
    if len(words) == 1 and words[0].startswith("age1"):
        key = _x25519(words[0])
        return Recipient("age", words[0], words[0], lambda file_key: _seal_x25519(key, file_key))
    ssh = _ssh_key(" ".join(words[:2]))
    return Recipient("age", ssh.line, ssh.fingerprint, lambda file_key: _seal_ssh(ssh, file_key))


def _x25519(text: str) -> bytes:
    found = read_bech32("age", text)
    if found is None or len(found) != 32:
        raise RecipientRefused(f"{text[:80]!r} is no age recipient that is known here.")
    return found


def _ssh_key(line: str) -> SshPublicKey:
    try:
        ssh = load_ssh_key(line)
    except Invalid:
        raise RecipientRefused(f"{line[:40]!r}… is no recipient of age.") from None
    if ssh.type not in ("ssh-ed25519", "ssh-rsa"):
        raise RecipientRefused(f"age does not encrypt to keys of the kind {ssh.type}.")
    return ssh


def _seal_x25519(recipient: bytes, file_key: bytearray) -> bytes:
    ephemeral = X25519PrivateKey.generate()
    share = ephemeral.public_key().public_bytes_raw()
    shared = _exchange(ephemeral, recipient)
    body = _wrap(shared, share + recipient, b"age-encryption.org/v1/X25519", file_key)
    return write_stanza(["X25519", unpadded(share).decode()], body)


def _seal_ssh(ssh: SshPublicKey, file_key: bytearray) -> bytes:
    if isinstance(ssh.public, RSAPublicKey):
        body = ssh.public.encrypt(bytes(file_key), OAEP(MGF1(SHA256()), SHA256(), OAEP_LABEL))
        return write_stanza(["ssh-rsa", tag_of(ssh.blob)], body)
    assert isinstance(ssh.public, Ed25519PublicKey)
    info = b"age-encryption.org/v1/ssh-ed25519"
    recipient = _montgomery(ssh.public.public_bytes_raw())
    ephemeral = X25519PrivateKey.generate()
    share = ephemeral.public_key().public_bytes_raw()
    tweak = HKDF(SHA256(), 32, salt=ssh.blob, info=info).derive(b"")
    shared = _exchange(X25519PrivateKey.from_private_bytes(tweak), _exchange(ephemeral, recipient))
    body = _wrap(shared, share + recipient, info, file_key)
    return write_stanza(["ssh-ed25519", tag_of(ssh.blob), unpadded(share).decode()], body)


def _exchange(private: X25519PrivateKey, public: bytes) -> bytes:
    try:
        return private.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError:  # a point of small order
        raise RecipientRefused("The recipient's key is of no use for encryption.") from None


def _wrap(shared: bytes, salt: bytes, info: bytes, file_key: bytearray) -> bytes:
    key = HKDF(SHA256(), 32, salt=salt, info=info).derive(shared)
    return ChaCha20Poly1305(key).encrypt(bytes(12), file_key, None)  # each key is used once


def _montgomery(edwards: bytes) -> bytes:
    """The X25519 form of an Ed25519 public key: u = (1 + y) / (1 - y). Source: RFC 7748, 4.1."""
    y = int.from_bytes(edwards, "little") & (2**255 - 1)
    if y % _PRIME == 1:
        raise RecipientRefused("The recipient's key is of no use for encryption.")
    return ((1 + y) * pow(1 - y, -1, _PRIME) % _PRIME).to_bytes(32, "little")
