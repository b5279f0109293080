"""The contract of the artifact store, kept by local files and by the one in memory."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hsmpub.artifact import LocalStore, MemoryStore, Store, Stored
from hsmpub.artifact import store as rule
from hsmpub.artifact.store import CHUNK

Alter = Callable[[str, bytes], None]


@pytest.fixture(params=["local", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return LocalStore(tmp_path) if request.param == "local" else MemoryStore()


def alter(store: Store, sha256: str, data: bytes) -> None:
    """As somebody with access to the disk would."""
    if isinstance(store, LocalStore):
        path = store.root / sha256[:2] / sha256
        path.unlink()
        path.write_bytes(data)
    else:
        assert isinstance(store, MemoryStore)
        store.artifacts[sha256] = data


def is_empty(store: Store) -> bool:
    if isinstance(store, LocalStore):
        return not [path for path in store.root.rglob("*") if path.is_file()]
    assert isinstance(store, MemoryStore)
    return not store.artifacts


async def stream(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


def write(store: Store, *pieces: bytes, **options: object) -> Stored:
    return asyncio.run(store.write(stream(*pieces), **options))  # type: ignore[arg-type]


def read(store: Store, sha256: str) -> bytes:
    async def collect() -> bytes:
        return b"".join([piece async for piece in store.open(sha256)])

    data = asyncio.run(collect())
    assert b"".join(store.read(sha256)) == data
    return data


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 7])
def test_gives_back_what_was_written(store: Store, size: int) -> None:
    data = bytes(i % 251 for i in range(1000)) * (size // 1000 + 1)
    data = data[:size]
    stored = write(store, data[:10], b"", data[10:])
    assert stored == Stored(hashlib.sha256(data).hexdigest(), size)
    assert read(store, stored.sha256) == data
    assert asyncio.run(store.size(stored.sha256)) == size


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=st.lists(st.binary(max_size=50), max_size=8))
def test_pieces_make_no_difference(store: Store, pieces: list[bytes]) -> None:
    assert write(store, *pieces) == write(store, b"".join(pieces))


def test_writing_the_same_twice_is_fine_and_heals(store: Store) -> None:
    stored = write(store, b"release")
    alter(store, stored.sha256, b"swapped")
    assert write(store, b"release") == stored
    assert read(store, stored.sha256) == b"release"


def test_refuses_more_than_the_cap_and_keeps_nothing(store: Store) -> None:
    assert write(store, b"12345", cap=5).size == 5
    with pytest.raises(rule.ArtifactTooLarge):
        write(store, b"12345", b"6", cap=5)
    assert asyncio.run(store.size(hashlib.sha256(b"123456").hexdigest())) is None


def test_refuses_other_bytes_than_were_announced_and_keeps_nothing(store: Store) -> None:
    expected = hashlib.sha256(b"announced").hexdigest()
    with pytest.raises(rule.ArtifactDiffers):
        write(store, b"arrived", expect=expected)
    assert is_empty(store)
    assert write(store, b"announced", expect=expected).sha256 == expected


def test_keeps_nothing_of_a_stream_that_breaks_off(store: Store) -> None:
    async def breaking() -> AsyncIterator[bytes]:
        yield b"x" * (CHUNK + 1)
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        asyncio.run(store.write(breaking()))
    assert is_empty(store)


def test_keeps_nothing_of_a_write_that_is_cancelled(store: Store) -> None:
    async def cancel() -> None:
        started, never = asyncio.Event(), asyncio.Event()

        async def endless() -> AsyncIterator[bytes]:
            yield b"x" * (CHUNK + 1)
            started.set()
            await never.wait()

        task = asyncio.create_task(store.write(endless()))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    assert is_empty(store)


@pytest.mark.parametrize("size", [10, 2 * CHUNK + 5])
@pytest.mark.parametrize("change", ["flip", "cut", "grow", "empty"])
def test_nobody_gets_a_whole_file_that_was_altered(store: Store, size: int, change: str) -> None:
    data = b"r" * size
    stored = write(store, data)
    altered = {"flip": b"R" + data[1:], "cut": data[:-1], "grow": data + b"x", "empty": b""}[change]
    alter(store, stored.sha256, altered)
    got = b""

    async def collect() -> None:
        nonlocal got
        async for piece in store.open(stored.sha256):
            got += piece

    with pytest.raises(rule.ArtifactAltered):
        asyncio.run(collect())
    assert len(got) < len(altered) or not altered
    with pytest.raises(rule.ArtifactAltered):
        list(store.read(stored.sha256))


HOSTILE = ["", "..", "../../etc/passwd", "a" * 63, "A" * 64, "g" * 64, "a" * 64 + "\n", "/" + "a" * 63, "\0" * 64,
           "１" * 64]  # fmt: skip


@pytest.mark.parametrize("digest", HOSTILE)
def test_refuses_digests_that_are_none(store: Store, digest: str) -> None:
    for use in (lambda: read(store, digest), lambda: asyncio.run(store.size(digest)),
                lambda: list(store.read(digest)), lambda: write(store, b"x", expect=digest)):  # fmt: skip
        with pytest.raises(rule.HostileDigest):
            use()


def test_says_when_there_is_no_such_artifact(store: Store) -> None:
    absent = "0" * 64
    assert asyncio.run(store.size(absent)) is None
    with pytest.raises(rule.ArtifactUnknown):
        read(store, absent)


def test_many_at_once_do_not_disturb_each_other(store: Store) -> None:
    async def several() -> list[Stored]:
        return await asyncio.gather(*(store.write(stream(b"same" if i % 2 else b"%d" % i)) for i in range(12)))

    for stored in asyncio.run(several()):
        assert read(store, stored.sha256)
