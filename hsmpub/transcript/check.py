"""Checks a transcript offline, against nothing but its own bytes and the pinned keys."""

from __future__ import annotations

import hashlib
from typing import TypeVar

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hsmpub.errors import Broken, Forbidden, Invalid
from hsmpub.model.digest import sha256_hex
from hsmpub.model.trust import Trust, TrustMalformed
from hsmpub.tlog.note import load_verifier_key
from hsmpub.transcript.record import (
    CLOSE,
    KEEPER_ALONE,
    OPEN_SEALS,
    Head,
    Seal,
    Signer,
    Step,
    Transcript,
    dump_line,
    head_and_lines,
    message_to_sign,
)
from hsmpub.transcript.script import has_its_steps


class TranscriptMalformed(Invalid):
    advice = "Give the file transcript.json as the ceremony wrote it."


class TranscriptAltered(Broken):
    advice = "This copy was altered or damaged: compare it with another participant's copy."


class TranscriptIncomplete(Broken):
    advice = "Steps are missing or out of order, and it was signed all the same: find out who signed it, and why."


class TranscriptOfRehearsal(Forbidden):
    """Nobody can have pinned the throw-away keys of a rehearsal."""

    advice = "Look at its steps, and compare them with those of the real one; there is nothing to verify it against."


class TranscriptUntrusted(Forbidden):
    advice = "It is the transcript of another service, or the pins are: compare the key fingerprints word by word."


Line = TypeVar("Line", Head, Step, Seal)


def load_transcript(data: bytes) -> Transcript:
    """Reads a transcript and checks its chain; no signature is verified.

    Raises:
        TranscriptMalformed: not a transcript at all.
        TranscriptAltered: a line that its ceremony did not write, by number.
    """
    body, mark, rest = data.partition(OPEN_SEALS)
    if not mark or not rest.endswith(CLOSE):
        raise TranscriptMalformed("This is not a whole transcript.")
    try:
        head_line, step_lines = head_and_lines(body)
    except ValueError:
        raise TranscriptMalformed("This is not a transcript.") from None
    head = _line(head_line, Head, "the head")
    steps: list[Step] = []
    previous = head_line
    for number, line in enumerate(step_lines, 1):
        step = _line(line, Step, f"step {number}")
        if step.number != number:
            raise TranscriptAltered(f"Step {number} of the transcript is missing or moved.")
        if step.previous != hashlib.sha256(previous).hexdigest():
            what = "the head" if number == 1 else f"step {number - 1}"
            raise TranscriptAltered(f"The transcript was altered at {what} (or at step {number}).")
        previous = line
        steps.append(step)
    seals = tuple(_line(line, Seal, "a signature") for line in rest.removesuffix(CLOSE).split(b",\n"))
    if any(seal.sha256 != sha256_hex(body) for seal in seals):
        raise TranscriptAltered(f"The transcript was altered at step {len(steps)}, or at its signatures.")
    return Transcript(head, tuple(steps), seals, sha256_hex(data))


def check_transcript(data: bytes, trust: Trust) -> Transcript:
    """The transcript that log key and keeper identity of a service signed, both of them; of what happens while the log
    key is out of reach (KEEPER_ALONE), the keeper's identity alone.

    A drill of a sealed service is signed by the keeper alone: the log has its digest.

    Raises:
        TranscriptMalformed, TranscriptAltered: see load_transcript.
        TranscriptOfRehearsal: signed by a rehearsal's keys.
        TranscriptUntrusted: of another service, or signed by other keys than the pinned ones.
        TranscriptIncomplete: signed, but not with the steps of such a ceremony.
        TrustMalformed: of the pins.
    """
    transcript = load_transcript(data)
    if transcript.head.service != trust.service:
        raise TranscriptUntrusted(f"The transcript is of the service {transcript.head.service[:80]!r}.")
    pinned: dict[Signer, tuple[str, bytes]] = {
        "log": (trust.log_key, load_verifier_key(trust.log_key).public),
        "keeper": (trust.keeper_key, keeper_public(trust)),
    }
    signers = sorted(seal.signer for seal in transcript.seals)
    if signers != sorted(pinned) and not (transcript.head.ceremony in KEEPER_ALONE and signers == ["keeper"]):
        raise TranscriptUntrusted("The transcript is not signed by both the log key and the keeper.")
    message = message_to_sign(data.partition(OPEN_SEALS)[0])
    for seal in transcript.seals:
        key, public = pinned[seal.signer]
        if seal.key != key:
            if transcript.head.rehearsal:
                raise TranscriptOfRehearsal("The transcript is of a rehearsal, signed by its own throw-away keys.")
            raise TranscriptUntrusted(f"The transcript is signed by another {seal.signer} key than the pinned one.")
        try:
            check_hex_signature(public, seal.signature, message)
        except (InvalidSignature, ValueError):
            raise TranscriptAltered(f"The {seal.signer} signature under the transcript is wrong.") from None
    if not has_its_steps(transcript.head.ceremony, transcript.steps):
        raise TranscriptIncomplete(f"The steps are not those of the ceremony {transcript.head.ceremony!r}.")
    return transcript


def keeper_public(trust: Trust) -> bytes:
    """Raw Ed25519 key of the keeper's identity. Raises TrustMalformed."""
    try:
        public = bytes.fromhex(trust.keeper_key)
        Ed25519PublicKey.from_public_bytes(public)
    except ValueError:
        raise TrustMalformed("The keeper's key in the trust file is none.") from None
    return public


def check_hex_signature(public: bytes, signature: str, message: bytes) -> None:
    """Raises InvalidSignature, ValueError. The hex has one spelling, so that no bit of it can be flipped unseen."""
    raw = bytes.fromhex(signature)
    if raw.hex() != signature:
        raise ValueError("not canonical hex")
    Ed25519PublicKey.from_public_bytes(public).verify(raw, message)


def _line(data: bytes, kind: type[Line], what: str) -> Line:
    try:
        value = msgspec.json.decode(data, type=kind)
        exact = dump_line(value) == data
    except (msgspec.MsgspecError, UnicodeDecodeError):
        exact = False
    if not exact:
        raise TranscriptAltered(f"The transcript was altered at {what}.")
    return value
