"""Signed notes: a text and Ed25519 signatures under it, as logs and witnesses exchange them. Pure.

The signature itself comes from a callback, because the key is in the HSM. Source: C2SP signed-note v1.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hsmpub.errors import Broken, Invalid

ED25519 = 0x01
MAX_NOTE_BYTES = 256 * 1024
MAX_SIGNATURES = 64
_NAME = re.compile(r"[^\s+]+")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_LINE = "— "

#: Signs exact bytes with the log's Ed25519 key: 64 raw bytes.
NoteSigner = Callable[[bytes], Awaitable[bytes]]


class VerifierKeyMalformed(Invalid):
    advice = "A log key looks like name+1a2b3c4d+AX… ; take it from trust.json of the service."


class NoteMalformed(Invalid):
    advice = "This is not a signed note; fetch it again from the log."


class NoteUntrusted(Invalid):
    advice = "Only notes signed by the pinned log key count. Compare the key that you pinned with the service's."


class NoteSignatureWrong(Broken):
    advice = "The signer made a signature that the log's public key does not verify: check the log key in the HSM."


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """Name and public key of who signs a note. public: raw Ed25519, 32 bytes."""

    name: str
    public: bytes

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or not self.name.isprintable() or len(self.public) != 32:
            raise VerifierKeyMalformed(f"{self.name[:80]!r} cannot name a note key, or the key is not 32 bytes.")

    @property
    def key_id(self) -> bytes:
        """Four bytes: a hint for finding the key, no proof of anything."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([ED25519]) + self.public).digest()[:4]

    def __str__(self) -> str:
        key = base64.b64encode(bytes([ED25519]) + self.public).decode()
        return f"{self.name}+{self.key_id.hex()}+{key}"


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """A signature line. signature: what follows the key id, raw."""

    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A parsed note, nothing verified. text: ends with a newline."""

    text: str
    signatures: tuple[NoteSignature, ...]


def load_base64(text: str) -> bytes:
    """Bytes of plain base64 (RFC 4648, section 4), in its one canonical spelling. Raises ValueError otherwise."""
    data = base64.b64decode(text, validate=True)
    if base64.b64encode(data).decode() != text:
        raise ValueError("not canonical base64")
    return data


def load_verifier_key(text: str) -> VerifierKey:
    """The key of `name+hash+base64`.

    Raises:
        VerifierKeyMalformed: no such form, not Ed25519, or the hash does not fit.
    """
    parts = text.strip().split("+", 2)
    try:
        name, key_id, encoded = parts
        key = load_base64(encoded)
    except ValueError:
        raise VerifierKeyMalformed(f"{text[:80]!r} is no verifier key.") from None
    if len(key) != 33 or key[0] != ED25519:
        raise VerifierKeyMalformed(f"The verifier key of {name[:80]!r} is not an Ed25519 key.")
    verifier = VerifierKey(name, key[1:])
    if verifier.key_id.hex() != key_id:
        raise VerifierKeyMalformed(f"The verifier key of {name[:80]!r} is damaged: its hash does not fit.")
    return verifier


def load_note(data: bytes) -> Note:
    """Splits a note into text and signature lines; verifies nothing.

    Raises:
        NoteMalformed: not exactly the form of a signed note.
    """
    if len(data) > MAX_NOTE_BYTES:
        raise NoteMalformed(f"The note takes {len(data):,} bytes.")
    try:
        whole = data.decode()
    except UnicodeDecodeError:
        raise NoteMalformed("The note is not UTF-8.") from None
    text, blank, lines = whole.rpartition("\n\n")
    if not blank or not lines.endswith("\n") or _CONTROL.search(whole):
        raise NoteMalformed("The note has no text, blank line and signatures, or holds control characters.")
    found = lines[:-1].split("\n")
    if len(found) > MAX_SIGNATURES:
        raise NoteMalformed(f"The note has {len(found)} signatures.")
    return Note(text + "\n", tuple(_load_line(line) for line in found))


def _load_line(line: str) -> NoteSignature:
    name, space, encoded = line.removeprefix(_LINE).partition(" ")
    try:
        raw = load_base64(encoded)
    except ValueError:
        raw = b""
    if not line.startswith(_LINE) or not space or not _NAME.fullmatch(name) or len(raw) < 5:
        raise NoteMalformed("A signature line of the note is malformed.")
    return NoteSignature(name, raw[:4], raw[4:])


def check_note(data: bytes, keys: Iterable[VerifierKey]) -> tuple[str, tuple[VerifierKey, ...]]:
    """Verifies a note against pinned keys; lines of other keys are ignored, as the source demands.

    Returns: the text, and the keys whose signature it carries (at least one).

    Raises:
        NoteMalformed: see `load_note`.
        NoteUntrusted: no pinned key signed it, or the signature of one is wrong.
    """
    note = load_note(data)
    known = {(key.name, key.key_id): key for key in keys}
    signers: list[VerifierKey] = []
    for line in note.signatures:
        key = known.get((line.name, line.key_id))
        if key is None:
            continue
        if not is_signed_by(key, note.text.encode(), line.signature):
            raise NoteUntrusted(f"The signature of {key.name!r} under the note is wrong.")
        if key not in signers:
            signers.append(key)
    if not signers:
        raise NoteUntrusted("No pinned key signed the note.")
    return note.text, tuple(signers)


def is_signed_by(key: VerifierKey, message: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(signature, message)
    except InvalidSignature:
        return False
    return True


async def sign_note(text: str, key: VerifierKey, sign: NoteSigner) -> bytes:
    """The note over `text` (which ends with a newline), verified before it is returned.

    Raises:
        NoteSignatureWrong: the callback's signature does not verify.
    """
    return dump_note(text, [checked_signature(text, key, await sign(text.encode()))])


def checked_signature(text: str, key: VerifierKey, signature: bytes) -> NoteSignature:
    """The signature line of `key`, when the raw signature verifies. Raises NoteSignatureWrong."""
    if not is_signed_by(key, text.encode(), signature):
        raise NoteSignatureWrong(f"The new signature of {key.name!r} does not verify.")
    return NoteSignature(key.name, key.key_id, signature)


def dump_note(text: str, signatures: Sequence[NoteSignature]) -> bytes:
    """Exact bytes of the note."""
    lines = [f"{_LINE}{s.name} {base64.b64encode(s.key_id + s.signature).decode()}\n" for s in signatures]
    return (text + "\n" + "".join(lines)).encode()
