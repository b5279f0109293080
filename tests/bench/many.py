"""A thousand files of 1 MiB: one command, one request for each file in one session, one command for each file."""

from __future__ import annotations

import os
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from hsmpub.client.batches import batches
from hsmpub.client.client import Client
from hsmpub.client.signing import digest_work
from tests.every_key import PROJECT, REPOSITORY, EveryKey
from tests.service.hands import client_of

COUNT = 1_000
#: Commands of one file each that are run; what a thousand of them take follows from it.
COMMANDS = 20
FORMAT = "sshsig"


def main(place: EveryKey, folder: Path, console: Console) -> None:
    files = folder / "many"
    files.mkdir()
    paths = [files / f"file-{number}.bin" for number in range(COUNT)]
    for path in paths:
        path.write_bytes(os.urandom(1 << 20))
    batched = _timed(lambda: place.sign("--format", FORMAT, *paths))
    with client_of(place.world, repository=REPOSITORY) as client:
        gathered = _timed(lambda: _batches(client, paths))
        single = _timed(lambda: [_one(client, path) for path in paths])
    command = _timed(lambda: [place.sign("--format", FORMAT, path) for path in paths[:COMMANDS]]) * COUNT / COMMANDS
    table = Table(f"{COUNT} files of 1 MiB", "seconds", "files a second", "of one command")
    for what, seconds in (
        ("one command, batches of up to 256, with all that it writes", batched),
        ("the same requests alone, one session, nothing written", gathered),
        ("one request for each file, one session, nothing written", single),
        (f"one command for each file (from {COMMANDS})", command),
    ):
        table.add_row(what, f"{seconds:.1f}", f"{COUNT / seconds:,.0f}", f"{seconds / batched:.1f}")
    console.print(table)
    for path in files.iterdir():
        path.unlink()


def _batches(client: Client, paths: list[Path]) -> None:
    for batch in batches([digest_work(path, (FORMAT,)) for path in paths]):
        assert all(made.outputs for made in client.sign_batch(batch, PROJECT))


def _one(client: Client, path: Path) -> None:
    [made] = client.sign_batch([digest_work(path, (FORMAT,))], PROJECT)
    assert made.outputs


def _timed(work: object) -> float:
    began = time.perf_counter()
    work()  # type: ignore[operator]
    return time.perf_counter() - began
