"""A transcript is checked by its bytes: every flipped one is found."""

from __future__ import annotations

import msgspec
import pytest
from ceremony_stage import Born, run_command
from hypothesis import given, settings
from hypothesis import strategies as st

from ceremony.own_share import check_share
from hsmpub.errors import HsmpubError
from hsmpub.model.trust import TrustMalformed
from hsmpub.shares.gathering import ShareAltered
from hsmpub.shares.record import UnknownHolder
from hsmpub.transcript.check import (
    TranscriptAltered,
    TranscriptMalformed,
    TranscriptUntrusted,
    check_transcript,
    load_transcript,
)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_any_flipped_bit_is_found(born: Born, data: st.DataObject) -> None:
    good = born.done.transcript
    at = data.draw(st.integers(0, len(good) - 1))
    altered = bytearray(good)
    altered[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises((TranscriptAltered, TranscriptMalformed, TranscriptUntrusted)):
        check_transcript(bytes(altered), born.done.trust)


def test_a_signature_has_one_spelling(born: Born) -> None:
    start, mark, rest = born.done.transcript.rpartition(b'"signature":"')
    with pytest.raises(TranscriptAltered, match="signature"):
        check_transcript(start + mark + rest.replace(b"a", b"A"), born.done.trust)


def test_the_altered_step_is_named(born: Born) -> None:
    lines = born.done.transcript.split(b"\n")
    altered = b"\n".join([*lines[:4], lines[4].replace(b'"label":"hsmpub"', b'"label":"hsmpuk"'), *lines[5:]])
    assert altered != born.done.transcript
    with pytest.raises(TranscriptAltered, match="step 4"):
        load_transcript(altered)


def test_a_step_left_out_or_moved_is_found(born: Born) -> None:
    lines = born.done.transcript.split(b"\n")
    without = b"\n".join(lines[:3] + lines[4:])
    swapped = b"\n".join([*lines[:3], lines[4], lines[3], *lines[5:]])
    for altered in (without, swapped):
        with pytest.raises(TranscriptAltered, match="Step 3 of the transcript is missing or moved"):
            load_transcript(altered)


def test_refuses_other_pins_and_a_missing_signature(born: Born) -> None:
    trust, good = born.done.trust, born.done.transcript
    for changed in (
        {"service": "another"},
        {"keeper_key": "00" * 32},
        {"log_key": "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"},
    ):
        with pytest.raises(TranscriptUntrusted):
            check_transcript(good, msgspec.structs.replace(trust, **changed))
    with pytest.raises(TrustMalformed):
        check_transcript(good, msgspec.structs.replace(trust, keeper_key="no key"))
    lines = good.split(b"\n")
    one_signature = b"\n".join([*lines[:-4], lines[-4].removesuffix(b","), *lines[-2:]])
    with pytest.raises(TranscriptUntrusted, match="both"):
        check_transcript(one_signature, trust)


@given(st.binary(max_size=300))
def test_refuses_what_is_no_transcript(data: bytes) -> None:
    with pytest.raises(HsmpubError):
        load_transcript(data)


def test_the_command_verifies_offline(born: Born) -> None:
    path = born.home.genesis / "transcript.json"
    ran = run_command("verify", path, "--trust", born.home.trust)
    assert ran.returncode == 0, ran.stderr
    assert b"the genesis of releases, signed by log key and keeper" in ran.stdout
    altered = born.stage.folder / "altered.json"
    altered.write_bytes(path.read_bytes().replace(b'"threshold":3', b'"threshold":2'))
    ran = run_command("verify", altered, "--trust", born.home.trust)
    assert ran.returncode == 1
    assert b"altered at step 5" in ran.stderr


def test_a_holder_checks_a_share_against_the_transcript(born: Born) -> None:
    transcript = check_transcript(born.done.transcript, born.done.trust)

    def check(holder: str, file_of: str) -> tuple[str, int]:
        folder = "recovery" if file_of.startswith("recovery") else "shares"
        file = (born.home.genesis / folder / f"{file_of}.age").read_bytes()
        own = check_share(transcript, holder, file, bytearray(born.stage.identities[file_of]))
        return own.purpose, own.epoch

    assert check("holder-4", "holder-4") == ("unseal", 1)
    assert check("recovery-2", "recovery-2") == ("recovery", 1)
    with pytest.raises(ShareAltered):
        check("holder-4", "holder-5")
    with pytest.raises(UnknownHolder):
        check("somebody", "holder-5")
