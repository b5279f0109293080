"""One CI job with a valid identity does not keep the files of everybody else waiting: neither with many requests, nor
with releases that can never be signed, nor after it has gone."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import keeping
import pytest

from hsmpub.keeper.again import MOST_SECONDS
from hsmpub.keeper.executing import OF_A_PROJECT
from hsmpub.keeper.places import MAX_OF_ONE, ManyFilesWait
from hsmpub.model import submission as s
from hsmpub.model.key import KeyRecord
from hsmpub.wire import messages as m
from tests.formats.samples import SAMPLES
from tests.service.jobs import NIGHTLY, release, store

POLICY = """
[project.packages]
requesters = [{ issuer = "ci", repository = "example/packages" }]
sign = [{ key = "packages", formats = ["deb"] }]
approvals = []
"""


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[keeping.Kept]:
    key = KeyRecord("packages", "p256", keeping._pem(keeping.RELEASE_KEY), 1, ("deb",))
    with keeping.kept(tmp_path, monkeypatch, keys=(key,), policy=POLICY) as made:
        yield made


def watch(kept: keeping.Kept, monkeypatch: pytest.MonkeyPatch, wait: asyncio.Event | None = None) -> Counter[str]:
    """How often each file is read; `now` and `most`: at once. wait: until that is set."""
    read: Counter[str] = Counter()
    hashed = kept.keeper.artifacts.hashed

    async def counted(*words):
        read[words[1]] += 1
        read["now"] += 1
        read["most"] = max(read["most"], read["now"])
        try:
            if wait is not None:
                await wait.wait()
            return await hashed(*words)
        finally:
            read["now"] -= 1

    monkeypatch.setattr(kept.keeper.artifacts, "hashed", counted)
    return read


def test_a_release_that_cannot_be_signed_is_tried_ever_later(
    kept: keeping.Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        job = await kept.job(repository="example/packages", ref="refs/heads/main")
        file = store(kept.folder, "x.deb", SAMPLES["deb"])
        view = await job.ask(release("1", file, project="packages"))
        assert isinstance(view, m.RequestView)
        [stored] = kept.folder.rglob(file.sha256)
        stored.write_bytes(b"no package")  # what is no package when it is asked for is refused then
        await kept.unseal()
        await kept.settle()
        read = watch(kept, monkeypatch)
        for _ in range(3600 // 5):
            kept.offset += 5
            await kept.keeper.sweep_once()
            await kept.settle()
        assert 3600 // MOST_SECONDS <= read["x.deb"] <= 3600 // MOST_SECONDS + 8
        assert "x.deb was altered" in (await kept.see(view)).why

    asyncio.run(scenario())


def test_few_requests_of_one_project_are_carried_out_at_once(
    kept: keeping.Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        job = await kept.job(**NIGHTLY)
        for number in range(8):
            await job.ask(release(str(number), store(kept.folder, f"x{number}", b"x"), project="nightly"))
        read = watch(kept, monkeypatch)
        await kept.unseal()
        await kept.settle()
        assert read["most"] == OF_A_PROJECT
        assert kept.kinds().count("Signed") == 8

    asyncio.run(scenario())


def test_one_identity_has_a_part_of_the_queue(kept: keeping.Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        await kept.unseal()
        job, other = await kept.job(**NIGHTLY), await kept.job(**keeping.RELEASE)
        go = asyncio.Event()
        read = watch(kept, monkeypatch, go)
        ask = s.AskSign("nightly", ("sshsig",), files=(store(kept.folder, "mine", b"m"),))
        many = [asyncio.ensure_future(job.ask(ask)) for _ in range(MAX_OF_ONE + 1)]
        done, _ = await asyncio.wait(many, return_when=asyncio.FIRST_COMPLETED)
        assert [type(one.exception()) for one in done] == [ManyFilesWait]
        theirs = asyncio.ensure_future(other.ask(release("1.0", store(kept.folder, "theirs", b"t"))))
        go.set()
        assert isinstance(await theirs, m.RequestView)
        await asyncio.wait(many)
        assert (read["mine"], read["theirs"]) == (MAX_OF_ONE, 1)
        assert isinstance(await job.ask(ask), m.SignReply)

    asyncio.run(scenario())
