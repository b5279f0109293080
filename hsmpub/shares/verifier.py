"""What a holder can sign with a share, without handing it in: an Ed25519 key derived from its words.

The record names the public half. A signature says "the holder of this share, in this epoch, wants this", and tells
nothing about the share; shares of an older set sign nothing.
"""

from __future__ import annotations

import re

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from hsmpub.errors import Conflict, Forbidden
from hsmpub.secret.page import wipe
from hsmpub.shares.record import HolderRecord, Purpose, Quorum
from hsmpub.shares.slip39 import canonical, read_share

_CONTEXT = b"hsmpub holder verifier v1"
_MESSAGE = b"hsmpub holder v1\n"


class HolderSignatureWrong(Forbidden):
    advice = "Sign again with the share of the latest ceremony, under the holder's own name."


class HolderHasNoVerifier(Conflict):
    advice = "Make a new set of shares: this one was made before holders could sign with theirs."


def share_verifier(purpose: Purpose, epoch: int, holder: str, mnemonic: bytes | bytearray) -> str:
    """Public half, hex, of the key that canonical words give this holder in this epoch of this quorum."""
    return _key(purpose, epoch, holder, mnemonic).public_key().public_bytes_raw().hex()


def sign_with_share(
    mnemonic: bytearray, kind: str, payload: bytes, *, purpose: Purpose, epoch: int, holder: str
) -> bytes:
    """The holder's signature, 64 bytes. `mnemonic` (the words, as opened from the share file) is wiped.

    Args:
        kind: what the signature is for, one word; a signature of one kind is none of another.
        payload: what is signed; it names everything that matters: service, nonce, time.
        purpose, epoch, holder: of the share, as the record or transcript has them.

    Raises:
        ShareMalformed: misspelt words.
    """
    try:
        words = canonical(mnemonic)
    finally:
        wipe(mnemonic)
    try:
        read_share(words)
        return _key(purpose, epoch, holder, words).sign(holder_message(kind, payload))
    finally:
        wipe(words)


def check_holder_signature(record: Quorum, holder: str, kind: str, payload: bytes, signature: bytes) -> None:
    """The holder of that name, as `record` has them, signed `payload` for this kind of thing.

    Raises:
        UnknownHolder: no such holder in this quorum.
        HolderHasNoVerifier: of a record from before there were verifiers.
        HolderSignatureWrong: another kind, payload, holder or epoch.
    """
    check_signature_of(record.holder(holder), kind, payload, signature)


def check_signature_of(holder: HolderRecord, kind: str, payload: bytes, signature: bytes) -> None:
    """As check_holder_signature, with the holder's own entry of record or transcript."""
    if not holder.verifier:
        raise HolderHasNoVerifier(f"The ceremony recorded no verifier for {holder.name}.")
    try:
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(holder.verifier))
        public.verify(signature, holder_message(kind, payload))
    except (InvalidSignature, ValueError):
        raise HolderSignatureWrong(f"This is not what {holder.name} signed with the share of this epoch.") from None


def holder_message(kind: str, payload: bytes) -> bytes:
    """The bytes that are signed: no checkpoint, transcript, session or attempt begins like them."""
    if not re.fullmatch("[a-z]+(-[a-z]+)*", kind):
        raise ValueError("a kind is one word")
    return _MESSAGE + kind.encode() + b"\n" + payload


def _key(purpose: Purpose, epoch: int, holder: str, mnemonic: bytes | bytearray) -> Ed25519PrivateKey:
    info = _CONTEXT
    for part in (purpose.encode(), epoch.to_bytes(8, "big"), holder.encode()):
        info += len(part).to_bytes(4, "big") + part
    seed = bytearray(32)
    try:
        # a share is 256 random bits in words: no salt and no stretching is needed
        HKDF(SHA256(), 32, salt=None, info=info).derive_into(mnemonic, seed)
        return Ed25519PrivateKey.from_private_bytes(seed)
    finally:
        wipe(seed)
