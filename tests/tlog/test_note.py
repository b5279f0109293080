"""Signed notes, checkpoints and proofs as texts that other tools read."""

from __future__ import annotations

import asyncio

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from logs import KEY, SIGNING_KEY, check_proof, sign

from hsmpub.errors import HsmpubError
from hsmpub.tlog.checkpoint import (
    Checkpoint,
    CheckpointMalformed,
    CheckpointOfAnotherLog,
    check_checkpoint,
    dump_checkpoint,
    load_checkpoint,
    sign_checkpoint,
)
from hsmpub.tlog.merkle import leaf_hash, node_hash
from hsmpub.tlog.merkle_check import ProofMismatch
from hsmpub.tlog.note import (
    NoteMalformed,
    NoteSignature,
    NoteSignatureWrong,
    NoteUntrusted,
    VerifierKey,
    VerifierKeyMalformed,
    check_note,
    dump_note,
    load_note,
    load_verifier_key,
    sign_note,
)
from hsmpub.tlog.proof import ProofMalformed, dump_proof, load_proof

# The example of the format's first implementation, golang.org/x/mod/sumdb/note.
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
).encode()
OTHER = Ed25519PrivateKey.from_private_bytes(b"o" * 32)
OTHER_KEY = VerifierKey(KEY.name, OTHER.public_key().public_bytes_raw())
ROOT = node_hash(leaf_hash(b"one"), leaf_hash(b"two"))
CHECKPOINT = asyncio.run(sign_checkpoint(2, ROOT, KEY, sign))
PROOF = dump_proof(0, [leaf_hash(b"two")], CHECKPOINT)


def test_reads_the_key_and_note_of_another_implementation() -> None:
    key = load_verifier_key(GO_KEY)
    text, signers = check_note(GO_NOTE, [key])
    assert text.startswith("If you think")
    assert signers == (key,)
    assert str(key) == GO_KEY


@pytest.mark.parametrize("text", [
    "", "name", "name+00000000", GO_KEY[:-1], GO_KEY.replace("c74f", "c74e"), GO_KEY.replace("+AR", "+BR"),
    "a b+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", GO_KEY + "AAAA", "+c74f20a3+AA==",
])  # fmt: skip
def test_refuses_damaged_verifier_keys(text: str) -> None:
    with pytest.raises(VerifierKeyMalformed):
        load_verifier_key(text)


def test_refuses_a_signature_of_another_key_under_the_same_name() -> None:
    with pytest.raises(NoteUntrusted):
        check_note(CHECKPOINT, [OTHER_KEY])


def test_refuses_a_wrong_signature_even_beside_a_good_one() -> None:
    note = load_note(CHECKPOINT)
    wrong = NoteSignature(KEY.name, KEY.key_id, OTHER.sign(note.text.encode()))
    with pytest.raises(NoteUntrusted):
        check_note(dump_note(note.text, [*note.signatures, wrong]), [KEY])


def test_ignores_signatures_of_unknown_keys() -> None:
    note = load_note(CHECKPOINT)
    witness = NoteSignature("witness.example", b"1234", b"\0" * 72)
    cosigned = dump_note(note.text, [witness, *note.signatures, witness])
    assert check_checkpoint(cosigned, KEY).size == 2


@settings(deadline=None)
@given(st.integers(0, len(CHECKPOINT) - 1), st.integers(0, 7))
def test_refuses_a_checkpoint_with_any_bit_flipped(at: int, bit: int) -> None:
    flipped = bytearray(CHECKPOINT)
    flipped[at] ^= 1 << bit
    with pytest.raises(HsmpubError):
        check_checkpoint(bytes(flipped), KEY)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_note_or_refused(data: bytes) -> None:
    try:
        note = load_note(data)
    except NoteMalformed:
        return
    assert dump_note(note.text, note.signatures) == data


@pytest.mark.parametrize("data", [
    b"", b"text\n", b"text\n\n", "text\n\n— name\n".encode(), "text\n\n— name AAAA\n".encode(),
    "text\n\n— na+me AAAAAAAA\n".encode(), "te\txt\n\n— name AAAAAAAA\n".encode(), "text\n\n— name AAAAAAAA".encode(),
    b"text\n\n- name AAAAAAAA\n", b"\xff\n\n", b"t\n\n" + "— n AAAAAAAA\n".encode() * 65,
])  # fmt: skip
def test_refuses_what_is_no_note(data: bytes) -> None:
    with pytest.raises(NoteMalformed):
        load_note(data)


def test_a_text_may_hold_empty_lines() -> None:
    note = asyncio.run(sign_note("one\n\ntwo\n", KEY, sign))
    assert check_note(note, [KEY])[0] == "one\n\ntwo\n"


def test_refuses_to_hand_out_a_signature_that_does_not_verify() -> None:
    async def wrong(message: bytes) -> bytes:
        return OTHER.sign(message)

    with pytest.raises(NoteSignatureWrong):
        asyncio.run(sign_checkpoint(2, ROOT, KEY, wrong))


def test_a_checkpoint_is_origin_size_and_root() -> None:
    assert check_checkpoint(CHECKPOINT, KEY) == Checkpoint(KEY.name, 2, ROOT)
    assert CHECKPOINT.decode().split("\n")[:2] == ["log.example/test", "2"]


@settings(deadline=None)
@given(st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), min_size=1),
       st.integers(0, 10**18), st.binary(min_size=32, max_size=32))  # fmt: skip
def test_checkpoint_texts_lead_back(origin: str, size: int, root: bytes) -> None:
    checkpoint = Checkpoint(origin, size, root)
    assert load_checkpoint(dump_checkpoint(checkpoint)) == checkpoint


@pytest.mark.parametrize("text", [
    "", "o\n", "o\n1\n", "o\n01\n" + "A" * 43 + "=\n", "o\n-1\n" + "A" * 43 + "=\n", "o\n1\nAAAA\n",
    "o\n1\n" + "A" * 42 + "B=\n", "\n1\n" + "A" * 43 + "=\n", "o\n1\n" + "A" * 43 + "=", "o\n1\n" + "A" * 43 + "=\n\n",
])  # fmt: skip
def test_refuses_malformed_checkpoints(text: str) -> None:
    with pytest.raises(CheckpointMalformed):
        load_checkpoint(text)


def test_refuses_a_checkpoint_whose_origin_is_another_log() -> None:
    note = asyncio.run(sign_note(dump_checkpoint(Checkpoint("elsewhere.example", 2, ROOT)), KEY, sign))
    with pytest.raises(CheckpointOfAnotherLog):
        check_checkpoint(note, KEY)


def test_a_proof_verifies_and_names_its_index() -> None:
    assert check_proof(PROOF, b"one") == (0, Checkpoint(KEY.name, 2, ROOT))
    assert PROOF.startswith("c2sp.org/tlog-proof@v1\nindex 0\n")


def test_reads_a_proof_with_extra_data() -> None:
    text = PROOF.replace("index 0", "extra aGVsbG8=\nindex 0")
    assert load_proof(text).extra == b"hello"
    assert check_proof(text, b"one")[0] == 0


def test_refuses_a_proof_for_another_entry() -> None:
    with pytest.raises(ProofMismatch):
        check_proof(PROOF, b"two")


@settings(deadline=None)
@given(st.integers(0, len(PROOF.encode()) - 1), st.integers(0, 7))
def test_refuses_a_proof_with_any_bit_flipped(at: int, bit: int) -> None:
    flipped = bytearray(PROOF.encode())
    flipped[at] ^= 1 << bit
    try:
        text = flipped.decode()
    except UnicodeDecodeError:
        return
    with pytest.raises(HsmpubError):
        check_proof(text, b"one")


@pytest.mark.parametrize("text", [
    "", "c2sp.org/tlog-proof@v1\n\n", "c2sp.org/tlog-proof@v2\nindex 0\n\nx", "c2sp.org/tlog-proof@v1\nindex 00\n\nx",
    "c2sp.org/tlog-proof@v1\nindex 0\nAAAA\n\nx", "c2sp.org/tlog-proof@v1\nextra ?\nindex 0\n\nx",
    "c2sp.org/tlog-proof@v1\nindex 0\n" + ("A" * 43 + "=\n") * 64 + "\nx",
])  # fmt: skip
def test_refuses_malformed_proofs(text: str) -> None:
    with pytest.raises(ProofMalformed):
        load_proof(text)


def test_the_key_id_is_of_name_type_and_key() -> None:
    assert load_verifier_key(str(KEY)) == KEY
    assert KEY.public == SIGNING_KEY.public_key().public_bytes_raw()
