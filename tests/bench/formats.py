"""What a signature of each format costs, through the service, beside the raw HSM operation.

Two clients ask for batches of 64 hash states with what the format needs beside them, so the cost is the format's: HTTP,
policy and log are shared by the batch. Of revoked certificates there is one list in a request, so that row has all of
it alone. All of it counts: the keeper builds, reads back and logs, a signer signs and verifies. The load's own time is
left out, and the client's work on the file: the part `large` has that.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from hsmpub.formats.context import Context
from hsmpub.formats.format import Artifact, Format
from hsmpub.formats.registry import FORMATS
from hsmpub.formats.sha256state import Sha256State
from hsmpub.formats.source import BytesSource
from hsmpub.model.key import KeyRecord
from hsmpub.model.predicate import SshProfile
from tests.bench import apart
from tests.bench.processes import cpu_seconds
from tests.bench.service import SECONDS, raw, through_the_api
from tests.every_key import BORN, KEYS, PROJECT, EveryKey
from tests.formats.samples import SAMPLES

_DATA = bytes(range(256)) * 3


def main(place: EveryKey, folder: Path, console: Console) -> None:
    seconds = SECONDS / 2
    base = raw(folder / "raw", "p256", "rsa3072", "ed25519")
    table = Table(
        "format", "key", "batch", "HSM signs", "a second", "of raw", "raw µs", "µs of CPU", "signers", "keeper",
        "front", title=f"raw a second: {', '.join(f'{kind} {rate:,.0f}' for kind, rate in base.items())}",
    )  # fmt: skip
    samples = {**SAMPLES, **apart.samples()}
    for one in _askings(place):
        form, key, sample = FORMATS[one.form], one.key, samples.get(one.form, _DATA)
        used = cpu_seconds(place.world.pid)
        got = through_the_api(place.world, "", form.name, 2, one.batch, project=one.project, sample=sample,
                              seconds=seconds, claims=apart.CLAIMS, **apart.beside(form.name))  # fmt: skip
        used = {role: s - used[role] for role, s in cpu_seconds(place.world.pid).items()}
        each = {role: s / got["signatures"] * 1e6 for role, s in used.items()}
        count, rate = signatures(form, key, sample), got["signatures"] / got["seconds"]
        table.add_row(
            form.name, key.kind, str(one.batch), str(count), f"{rate:,.0f}", f"{rate * count / base[key.kind]:.2f}",
            f"{count * 1e6 / base[key.kind]:.0f}", f"{sum(each.values()):.0f}",
            *(f"{each[role]:.0f}" for role in ("signers", "keeper", "front")),
        )  # fmt: skip
    console.print(table)


class _Asking(NamedTuple):
    form: str
    key: KeyRecord
    project: str
    batch: int


def _askings(place: EveryKey) -> list[_Asking]:
    """Each format that has a key here, with the project that makes it."""
    keys, makes = place.keys, {**{name: formats for name, (_, formats) in KEYS.items()}, **BORN}
    return [
        *(_Asking(form, keys[name], PROJECT, 64) for name, formats in makes.items() for form in formats),
        *(_Asking(form, keys[one.key], name, one.batch)
          for name, one in apart.PROJECTS.items() for form in one.formats),
    ]  # fmt: skip


def signatures(form: Format, key: KeyRecord, sample: bytes) -> int:
    """How many times the HSM signs for one output."""
    if any(form.name in one.formats for one in apart.PROJECTS.values()):
        return 1  # each makes one, and to prepare it takes all that its project says
    details = {form.name: form.extract(BytesSource(sample))} if form.detail_limit else {}
    context = Context(at=1_800_000_000, service="s", request="r", project="p", ssh=SshProfile("user", ("x",), 60))
    prepared = form.prepare(Artifact("x", Sha256State.of(sample), details), key, context)
    size = {"p256": 64, "rsa3072": 384, "ed25519": 64}[key.kind]
    following = form.follow(prepared, bytes(size * prepared.count))
    return prepared.count + (following.count if following else 0)
