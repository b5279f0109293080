"""Signing through the service, single and in batches, and a file of 1 GiB, beside the raw module and sha256sum."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ceremony.softhsm import find_softhsm
from deploy.demo.servers.issuer import Issuer
from deploy.demo.stage import PROJECT, Stage
from deploy.demo.world import World
from tests.bench.processes import cpu_seconds
from tests.box import genesis, make_world, running

SECONDS = float(os.environ.get("BENCH_SECONDS", "3"))
TURNS = 5
GIBIBYTE = 1 << 30
POLICY = """\
[issuer.ci]
url = "{issuer}"
audience = "hsmpub-demo"
loopback = true

[project.bench]
requesters = [{{ issuer = "ci", repository = "example/bench" }}]
sign = [
    {{ key = "release", formats = ["sshsig"] }},
    {{ key = "release-openpgp", formats = ["openpgp"] }},
]
approvals = []
"""


@dataclass(frozen=True)
class Row:
    """A rate in signatures a second.

    base: raw with a key kept in the token, as the service's is; unkept: raw with a key of the session.
    """

    what: str
    rate: float
    base: float
    target: str
    p50: float = 0.0
    p99: float = 0.0
    cpu: str = ""
    ceiling: float = 0.0
    unkept: float = 0.0


def raw(folder: Path, *kinds: str, what: str = "raw", seconds: float = SECONDS) -> dict[str, float]:
    """Rates of `tests.bench.raw`, or of `tests.bench.ceiling`, with a throw-away token."""
    folder.mkdir(exist_ok=True)
    (folder / "tokens").mkdir(exist_ok=True)
    conf = folder / "softhsm2.conf"
    conf.write_text(f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n")
    environment = {**os.environ, "SOFTHSM2_CONF": str(conf)}
    if not any((folder / "tokens").iterdir()):
        subprocess.run(
            ["softhsm2-util", "--init-token", "--free", "--label", "raw-bench", "--pin", "raw-bench-pin", "--so-pin",
             "raw-bench-so"], env=environment, check=True, capture_output=True,
        )  # fmt: skip
    command = [sys.executable, "-m", f"tests.bench.{what}", find_softhsm(), str(seconds), *kinds]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, cwd=PROJECT)
    return dict(json.loads(done.stdout))


def through_the_api(
    world: World, key: str, form: str, clients: int, batch: int, *, project: str = "bench",
    sample: bytes | None = None, seconds: float = SECONDS, claims: Mapping[str, str] | None = None,
    **beside: object,
) -> dict[str, float]:  # fmt: skip
    """Rate and latencies of a load in a process apart. claims: of its token; beside: what it asks for beside a file."""
    assert world.service is not None
    order = {
        "url": world.service.url, "job": world.ci(repository=f"example/{project}", **claims or {}),
        "audience": "hsmpub-demo",
        "project": project, "key": key, "format": form, "clients": clients, "batch": batch, "seconds": seconds,
        "sample": None if sample is None else sample.hex(), **beside,
    }  # fmt: skip
    command = [sys.executable, "-m", "tests.bench.load"]
    done = subprocess.run(command, input=json.dumps(order).encode(), capture_output=True, cwd=PROJECT, check=False)
    if done.returncode:
        raise SystemExit(done.stderr.decode())
    return dict(json.loads(done.stdout))


def signing(world: World, folder: Path) -> list[Row]:
    """The raw module and the ceiling, and everything through the API."""
    rows: list[Row] = []
    first = raw(folder, "p256-kept", "p256", "rsa3072-kept", "rsa3072")
    ceiling = raw(folder, "p256", "rsa3072", what="ceiling")
    names = {"p256": "P-256", "rsa3072": "RSA-3072"}
    for kind, rate in first.items():
        name = kind.removesuffix("-kept")
        where = "of the session" if kind == name else "kept in the token"
        rows.append(Row(f"raw python-pkcs11, {names[name]}, key {where}", rate, first[f"{name}-kept"], "",
                        unkept=first[name]))  # fmt: skip
    for kind, rate in ceiling.items():
        what = f"sign + verify alone, {os.cpu_count()} processes, {names[kind]}"
        rows.append(Row(what, rate, first[f"{kind}-kept"], "", ceiling=rate, unkept=first[kind]))
    plan = [
        ("P-256", "release", "sshsig", "p256", [(1, 1, ""), (8, 1, ""), (64, 1, "≥ 0.30"), (4, 64, "≥ 0.80"),
                                                (16, 64, "≥ 0.80")]),
        ("RSA-3072", "release-openpgp", "openpgp", "rsa3072", [(1, 1, ""), (8, 1, "≥ 0.90"), (64, 1, "≥ 0.90"),
                                                               (4, 64, "≥ 0.80")]),
    ]  # fmt: skip
    for name, key, form, kind, loads in plan:
        for clients, batch, target in loads:
            what = f"API, {name} ({form}), {clients} clients" + (f", batches of {batch}" if batch > 1 else "")
            rows.append(through(world, folder, Load(what, key, form, kind, clients, batch, target)))
    return rows


@dataclass(frozen=True)
class Load:
    """What is asked for at once: so many clients, each with so many files in a request."""

    what: str
    key: str
    form: str
    kind: str
    clients: int
    batch: int
    target: str


def through(world: World, folder: Path, load: Load) -> Row:
    """In turns with the raw module, since the machine changes its speed within seconds; medians of the turns."""
    kinds = f"{load.kind}-kept", load.kind
    before, turns = raw(folder, *kinds, seconds=SECONDS / 4), []
    used = cpu_seconds(world.pid)
    for _ in range(TURNS):
        got = through_the_api(world, load.key, load.form, load.clients, load.batch)
        after = raw(folder, *kinds, seconds=SECONDS / 4)
        turns.append((got, *(statistics.mean((before[kind], after[kind])) for kind in kinds)))
        before = after
    used = {role: seconds - used[role] for role, seconds in cpu_seconds(world.pid).items()}
    used["load"] = sum(got["cpu"] for got, _, _ in turns)
    signatures = sum(got["signatures"] for got, _, _ in turns)
    rates = [got["signatures"] / got["seconds"] for got, _, _ in turns]
    rate = statistics.median(rates)
    kept, unkept = (rate / statistics.median(one / turn[place] for one, turn in zip(rates, turns, strict=True))
                    for place in (1, 2))  # fmt: skip
    p50, p99 = (statistics.median(got[name] for got, _, _ in turns) * 1e3 for name in ("p50", "p99"))
    cpu = " ".join(f"{role} {seconds / signatures * 1e6:.0f}" for role, seconds in used.items())
    most = raw(folder, load.kind, what="ceiling")[load.kind]
    return Row(load.what, rate, kept, load.target, p50, p99, cpu, most, unkept)


def artifacts(world: World, folder: Path) -> list[tuple[str, float, float, str]]:
    """A file of 1 GiB by digest and by upload, against sha256sum, in turn: medians of three."""
    file = folder / "large.bin"
    with file.open("wb") as out:
        block = os.urandom(1 << 20)
        for _ in range(GIBIBYTE >> 20):
            out.write(block)
    times: dict[str, list[float]] = {"sha256sum": [], "digest": [], "upload": []}
    for _ in range(3):
        times["sha256sum"].append(timed(partial(subprocess.check_output, ["sha256sum", file])))
        for way, extra in (("digest", ()), ("upload", ("--upload",))):
            command = ("sign", file, "--project", "bench", "--signing-key", "release", "--format", "sshsig", *extra)
            times[way].append(timed(partial(world.hsmpub, *command, env=world.ci(repository="example/bench"))))
    file.unlink()
    base = statistics.median(times["sha256sum"])
    targets = {"sha256sum": "", "digest": "≤ 1.10", "upload": ""}
    return [(way, statistics.median(t), statistics.median(t) / base, targets[way]) for way, t in times.items()]


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main(console: Console) -> None:
    with tempfile.TemporaryDirectory(prefix="hsmpub-bench-") as name, Issuer.start() as issuer:
        folder = Path(name)
        world = make_world(folder / "world", issuer, staged=Stage)
        genesis(world, policy=POLICY.format(issuer=issuer.url))
        with running(world):
            rows = signing(world, folder / "raw")
            table = Table(
                "signing",
                "a second",
                "of raw",
                "target",
                "of raw, session's key",
                "of ceiling",
                "p50 ms",
                "p99 ms",
                "CPU µs each",
                title=f"{os.cpu_count()} cores",
            )
            for row in rows:
                table.add_row(
                    row.what, f"{row.rate:,.0f}", f"{row.rate / row.base:.2f}", row.target,
                    f"{row.rate / row.unkept:.2f}", f"{row.rate / row.ceiling:.2f}" if row.ceiling else "",
                    f"{row.p50:.1f}" if row.p50 else "", f"{row.p99:.1f}" if row.p99 else "", row.cpu,
                )  # fmt: skip
            console.print(table)
            table = Table("1 GiB", "seconds", "of sha256sum", "target")
            for what, seconds, ratio, target in artifacts(world, folder):
                table.add_row(what, f"{seconds:.2f}", f"{ratio:.2f}", target)
            console.print(table)
