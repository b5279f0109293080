"""Checkpoints follow the log, once for a burst, whenever somebody can sign."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from logs import KEY, OTHER_SIGNER, Place, entries, entry, memory_log, sign

from hsmpub.errors import Sealed
from hsmpub.tlog.checkpoint import check_checkpoint
from hsmpub.tlog.note import NoteSignatureWrong
from hsmpub.tlog.rules import CheckpointPending


def test_a_checkpoint_covers_everything_held(place: Place) -> None:
    log = place.create(10)
    note = asyncio.run(log.publish_checkpoint(sign))
    assert check_checkpoint(note, KEY).size == 10
    assert check_checkpoint(note, KEY).root == log.root
    assert log.reader().checkpoint() == note
    log.close()
    again = place.open()
    assert asyncio.run(again.wait_checkpoint(10)) == note
    again.close()


def test_signs_nothing_twice(place: Place) -> None:
    log, signed = place.create(3), []

    async def counting(message: bytes) -> bytes:
        signed.append(message)
        return await sign(message)

    async def run() -> None:
        first = await log.publish_checkpoint(counting)
        assert await log.publish_checkpoint(counting) == first
        await log.append([entry(3)])
        both = await asyncio.gather(log.publish_checkpoint(counting), log.publish_checkpoint(counting))
        assert both[0] == both[1] != first

    asyncio.run(run())
    assert len(signed) == 2
    log.close()


def test_a_burst_is_covered_by_few_signatures_in_the_background(tmp_path: Path) -> None:
    log, signed = memory_log(tmp_path), []

    async def counting(message: bytes) -> bytes:
        signed.append(message)
        return await sign(message)

    async def run() -> None:
        log.start_checkpoints(counting)
        for i in range(200):
            await log.append([entry(i)])
        assert check_checkpoint(await log.wait_checkpoint(200, timeout=60), KEY).size == 200
        log.stop_checkpoints()

    asyncio.run(run())
    assert len(signed) < 50
    log.close()


def test_while_sealed_entries_are_appended_and_the_checkpoint_follows(place: Place) -> None:
    log = place.create(1)
    is_sealed = True

    async def sealed_or_not(message: bytes) -> bytes:
        if is_sealed:
            raise Sealed("The service is sealed.")
        return await sign(message)

    async def run() -> None:
        nonlocal is_sealed
        with pytest.raises(Sealed):
            await log.publish_checkpoint(sealed_or_not)
        await log.append(entries(1, 50))
        with pytest.raises(CheckpointPending):
            await log.wait_checkpoint(50, timeout=0)
        waiting = asyncio.create_task(log.wait_checkpoint(50, timeout=60))
        is_sealed = False
        log.start_checkpoints(sealed_or_not)
        assert check_checkpoint(await waiting, KEY).size == 50

    asyncio.run(run())
    log.close()


def test_says_why_nothing_is_signed_and_tries_again(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hsmpub.tlog.checkpointer.RETRY", 0.01)
    log, calls = place.create(1), []

    async def at_first_not(message: bytes) -> bytes:
        calls.append(log.checkpoints.problem)
        if len(calls) == 1:
            raise Sealed("The service is sealed.")
        if len(calls) == 2:
            raise ConnectionResetError
        return await sign(message)

    async def run() -> None:
        log.start_checkpoints(at_first_not)
        await log.wait_checkpoint(1, timeout=60)

    asyncio.run(run())
    assert calls == ["", "The service is sealed.", "The signer failed: ConnectionResetError."]
    log.close()


def test_stores_no_checkpoint_that_does_not_verify(place: Place) -> None:
    log = place.create(1)

    async def wrong(message: bytes) -> bytes:
        return OTHER_SIGNER.sign(message)

    with pytest.raises(NoteSignatureWrong):
        asyncio.run(log.publish_checkpoint(wrong))
    with pytest.raises(CheckpointPending):
        log.reader().checkpoint()
    log.close()


def test_signs_only_what_is_durable(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit whose head could not be written is neither held nor signed."""
    log = place.create(5)

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    async def run() -> None:
        with monkeypatch.context() as patched:
            patched.setattr("hsmpub.tlog.head.os.fdatasync", fail)
            await asyncio.gather(log.append([b"lost"]), return_exceptions=True)
        assert check_checkpoint(await log.publish_checkpoint(sign), KEY).size == 5

    asyncio.run(run())
    log.close()
