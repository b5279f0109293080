"""After each unsealing and sealing there is a signed transcript that verifies offline; sealed, by the keeper alone."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from keeping import HOLDERS, LOG_KEY, Kept

from hsmpub.model.terms import Terms
from hsmpub.model.trust import Trust
from hsmpub.transcript.check import TranscriptAltered, TranscriptUntrusted, check_transcript
from tests.service.jobs import routine


def trust_of(kept: Kept) -> Trust:
    return Trust("keeper.example", str(LOG_KEY), kept.keeper.book.genesis.keeper_key, ())


def written(kept: Kept, kind: str) -> Path:
    [path] = (kept.folder / "ceremonies").glob(f"*-{kind}.json")
    return path


def test_unsealing_and_sealing_leave_transcripts_that_verify(kept: Kept) -> None:
    terms = Terms(3600, 20, ("nightly",))

    async def scenario() -> None:
        await kept.hand_in(HOLDERS[0])
        await kept.unseal(terms)
        job = await kept.nightly()
        await job.ask(routine("a", "b"))
        await kept.keeper.unsealing.seal("over for today", holder=HOLDERS[1], nonce="00")

    asyncio.run(scenario())
    unseal = check_transcript(written(kept, "unseal").read_bytes(), trust_of(kept))
    assert unseal.head.ceremony == "unseal"
    assert unseal.facts("attempt")["terms"] == {"seconds": 3600, "signatures": 20, "projects": ["nightly"]}
    assert [step.facts["holder"] for step in unseal.steps if step.what == "share"] == list(HOLDERS)
    assert {seal.signer for seal in unseal.seals} == {"log", "keeper"}
    index = unseal.facts("unsealed")["log_entry"]
    assert written(kept, "unseal").name == f"{index}-unseal.json"
    assert kept.kinds()[index] == "UnsealedBy"
    sealed = check_transcript(written(kept, "seal").read_bytes(), trust_of(kept))
    assert [seal.signer for seal in sealed.seals] == ["keeper"]
    assert sealed.facts("sealed")["by"] == HOLDERS[1]
    assert sealed.facts("unsealing")["signatures"] == 2


def test_an_altered_byte_is_found_and_a_keeper_alone_signs_nothing_but_sealings(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal()
        await kept.keeper.unsealing.seal("over", person="security-officer")

    asyncio.run(scenario())
    data = written(kept, "seal").read_bytes()
    with pytest.raises(TranscriptAltered):
        check_transcript(data.replace(b"security-officer", b"release-manager_"), trust_of(kept))
    unseal = written(kept, "unseal").read_bytes()
    start = unseal.index(b'{"signer":"log"')
    alone = unseal[:start] + unseal[unseal.index(b'{"signer":"keeper"') :]
    with pytest.raises(TranscriptUntrusted):
        check_transcript(alone, trust_of(kept))


def test_a_transcript_that_cannot_be_written_keeps_nothing_open_and_is_told(kept: Kept) -> None:
    async def scenario() -> None:
        if (kept.folder / "ceremonies").exists():
            (kept.folder / "ceremonies").rmdir()
        (kept.folder / "ceremonies").write_text("no folder")
        await kept.unseal()
        assert kept.keeper.unsealing.is_unsealed
        assert any("transcript could not be written" in warning for warning in kept.keeper.status.reply().warnings)
        await kept.keeper.unsealing.seal("over", person="security-officer")
        assert not kept.keeper.unsealing.is_unsealed

    asyncio.run(scenario())
