"""I1, by the system calls of the real keeper: rows synced, head synced, and only then the reply with the signature.

Killing a process does not show it: the kernel keeps what was written.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.demo.world import World
from hsmpub.model import entry as e
from hsmpub.wire import messages as m
from tests.service import processes
from tests.service.hands import approve, ask_release, at_the_keeper, log_entries, patiently
from tests.service.jobs import NIGHTLY, Front, Job, routine, store

_CALL = re.compile(r"^(?P<pid>\d+) +(?P<name>\w+)\(\d+<(?P<path>[^>]*)>(?P<rest>.*)$")
_RESUMED = re.compile(r"^(?P<pid>\d+) +<\.\.\. (?P<name>\w+) resumed>")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


@dataclass(frozen=True)
class Effect:
    """A write, from when it began, or a sync, from when it was over. path: file or `UNIX…`/`socket…`."""

    is_sync: bool
    path: str
    data: bytes

    def to(self, name: str) -> bool:
        return Path(self.path).name == name


@contextmanager
def traced(world: World, out: Path) -> Iterator[None]:
    """What the keeper and the process that writes its log do meanwhile is in `out`, whole."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    calls = "trace=write,writev,sendto,sendmsg,pwrite64,fsync,fdatasync"
    pids = [processes.one(world, role) for role in ("keeper", "log-writer")]
    command = ["strace", "-f", "-y", "-xx", "-s", "70000", "-o", str(out), "-e", calls, "-p", ",".join(map(str, pids))]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
        assert tracer.stderr is not None
        for _ in pids:
            said = tracer.stderr.readline()
            if "attached" not in said:
                pytest.skip(f"strace may not attach here: {said.strip()[-80:]}")
        try:
            yield
        finally:
            tracer.terminate()
            tracer.stderr.read()


def effects(trace: str) -> Iterator[Effect]:
    """What the calls did, in the order in which it counts."""
    waiting: dict[str, Effect] = {}
    for line in trace.splitlines():
        if match := _RESUMED.match(line):
            if match["pid"] in waiting:
                assert line.endswith("= 0"), line
                yield waiting.pop(match["pid"])
        elif match := _CALL.match(line):
            data = b"".join(_plain(text) for text in _TEXT.findall(match["rest"]))
            path = _plain(match["path"]).decode() if "\\x" in match["path"] else match["path"]
            effect = Effect(match["name"] in ("fsync", "fdatasync"), path, data)
            if effect.is_sync and line.endswith("<unfinished ...>"):
                waiting[match["pid"]] = effect
            else:
                yield effect


def _plain(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


def place(found: list[Effect], what: str, since: int, *, name: str, is_sync: bool, holds: bytes = b"") -> int:
    """Where the next such effect is."""
    for at in range(since, len(found)):
        effect = found[at]
        if effect.is_sync == is_sync and effect.to(name) and holds in effect.data:
            return at
    raise AssertionError(f"{what} was not seen after call {since} of {len(found)}")


def durable(found: list[Effect], holds: bytes) -> int:
    """Where the entry that holds these bytes is durable: rows written, rows synced, head written, head synced."""
    row = place(found, "the entry", 0, name="log.sqlite-wal", is_sync=False, holds=holds)
    rows_synced = place(found, "the sync of the rows", row, name="log.sqlite-wal", is_sync=True)
    head = place(found, "the head", rows_synced, name="head", is_sync=False)
    return place(found, "the sync of the head", head, name="head", is_sync=True)


def test_no_signature_leaves_the_keeper_before_rows_and_head_are_synced(service: World, tmp_path: Path) -> None:
    replies: list[m.SignReply] = []

    async def scenario(front: Front) -> None:
        job = await Job.open(front, service.issuer, **NIGHTLY)
        for number in range(5):
            reply = await job.ask(routine(f"traced-{number}.bin"))
            assert isinstance(reply, m.SignReply)
            replies.append(reply)

    out = tmp_path / "trace"
    with traced(service, out):
        at_the_keeper(service, scenario)
    found = list(effects(out.read_text(errors="replace")))
    for reply in replies:
        signature = reply.made[0].output
        safe = durable(found, reply.request.encode())
        shown = [at for at, effect in enumerate(found) if signature in effect.data]
        assert shown, "the reply was not seen"
        assert min(shown) > safe, "the signature left before its entry was durable"
        assert {Path(found[at].path).suffix for at in shown}.isdisjoint({".sqlite-wal"})


def test_no_release_is_said_to_be_signed_before_rows_and_head_are_synced(service: World, tmp_path: Path) -> None:
    async def scenario(front: Front) -> m.RequestView:
        view = await ask_release(service, front, "93.1", store(service.home, "x.whl", b"traced"), project="hsmpub")
        await approve(service, front, view, (service.people.manager, service.people.lead))
        for _ in patiently():
            now = await front.call(m.GetRequest(view.request))
            assert isinstance(now, m.RequestView)
            if now.state == "signed":
                return now
            await asyncio.sleep(0.05)
        raise AssertionError(f"it is {now.state}: {now.why}")

    out = tmp_path / "trace"
    with traced(service, out):
        view = at_the_keeper(service, scenario)
    found = list(effects(out.read_text(errors="replace")))
    signed = [entry for entry in log_entries(service) if isinstance(entry, e.Signed) and entry.request == view.request]
    word, request = b"\xa6signed", view.request.encode()  # as MessagePack has it
    said = [at for at, effect in enumerate(found) if "sock" in effect.path.lower() or "unix" in effect.path.lower()
            if word in effect.data and request in effect.data]  # fmt: skip
    assert said
    assert signed
    rows = [effect.data for effect in found if effect.to("log.sqlite-wal")]
    for entry in signed:
        digests = [output.sha256.encode() for output in entry.outputs]
        written = [digest for digest in digests if any(digest in row for row in rows)]
        assert written  # a page of the database may end in the middle of one, not of each
        for digest in written:
            assert durable(found, digest) < min(said), "said before it was durable"
