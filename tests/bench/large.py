"""A file of 2 GiB in each format that signs by digest, beside sha256sum of the same file: the command as people run it,
with its progress on a terminal, and receipt and outputs written.

Formats that go into the file write it anew, and read back what they wrote; they stand beside sha256sum and, once more,
beside sha256sum and a copy that is synced to the disk. Each round measures all of them in turn.
"""

from __future__ import annotations

import lzma
import os
import pty
import shutil
import statistics
import subprocess
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console

from hsmpub.formats.windows.compound_write import write_compound
from tests.every_key import PROJECT, REPOSITORY, EveryKey
from tests.formats.samples import android_manifest, ar_member, module_file, pe_file, rpm_file
from tests.formats.windows_samples import cab_block, cab_head, compound_root, entry

SIZE = int(os.environ.get("BENCH_LARGE_BYTES", str(2 << 30)))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "2"))
_PIECE = 1 << 20
#: A signed package has up to 2 GiB, and so has one folder of a cabinet.
MOST_WINDOWS = 2 << 30
DETACHED = ("openpgp", "sshsig", "dsse", "sigstore-bundle", "der-signature", "cms", "timestamp", "apt-release-gpg",
            "minisign")  # fmt: skip


def main(place: EveryKey, folder: Path, console: Console) -> None:
    """A line for each as it is measured, for this part takes minutes."""
    console.print(f"{SIZE / (1 << 30):g} GiB: signed, beside sha256sum (target ≤ 1.20), beside it and a synced copy")
    plain = write(folder / "thing.bin", b"", b"")
    for name in DETACHED:
        console.print(_line(place, plain, name, folder / "out"))
    plain.unlink()
    for name, build in BUILDERS.items():
        file = build(folder)
        console.print(_line(place, file, name, folder / "out", copied=True))
        file.unlink()
    console.print("Left out: texts (16 MiB at most), what is signed whole (64 KiB), PDF documents (256 MiB), and")
    console.print("catalogues, which hold digests and are small by nature (128 KiB of them are signed).")


def _line(place: EveryKey, file: Path, form: str, out: Path, *, copied: bool = False) -> str:
    times: dict[str, list[float]] = {"sum": [], "sign": [], "copy": []}
    for _ in range(ROUNDS):
        out.mkdir()
        times["sum"].append(timed(lambda: subprocess.check_output(["sha256sum", file])))
        times["sign"].append(timed(lambda: sign(place, form, file, out)))
        shutil.rmtree(out)
        out.mkdir()
        if copied:
            copy = ["dd", f"if={file}", f"of={out}/copy", "bs=1M", "conv=fsync", "status=none"]
            times["copy"].append(timed(lambda: subprocess.run(copy, check=True)))  # noqa: B023 - called at once
        shutil.rmtree(out)
    summed, signed = statistics.median(times["sum"]), statistics.median(times["sign"])
    line = f"{form:16} {signed:7.2f} s   {signed / summed:5.2f} of {summed:.2f} s"
    if copied:
        both = summed + statistics.median(times["copy"])
        line += f"   {signed / both:5.2f} of {both:.2f} s"
    return line


def sign(place: EveryKey, form: str, file: Path, out: Path) -> None:
    """With standard error on a terminal, so that there is a bar to draw."""
    world = place.world
    assert world.service is not None
    command = [world.stage.bin / "hsmpub", "sign", "--project", PROJECT, "--format", form, "--output", out, file]
    env = {**world.stage.environment, **world.ci(repository=REPOSITORY), "TERM": "xterm",
           "HSMPUB_URL": world.service.url, "HSMPUB_TRUST": str(world.trust)}  # fmt: skip
    master, slave = pty.openpty()
    said = bytearray()

    def drain() -> None:
        while True:
            try:
                piece = os.read(master, 65_536)
            except OSError:  # the last one that had the other end open has gone
                return
            said.extend(piece)

    draining = threading.Thread(target=drain)
    draining.start()
    done = subprocess.run(command, env=env, stdout=subprocess.DEVNULL, stderr=slave, check=False)
    os.close(slave)
    draining.join()
    os.close(master)
    if done.returncode or b"B/s" not in said:
        raise SystemExit(said.decode(errors="replace"))


def write(path: Path, head: bytes, tail: bytes) -> Path:
    """Random bytes between head and tail."""
    with path.open("wb") as out:
        out.write(head)
        out.writelines(random_pieces(SIZE - len(head) - len(tail)))
        out.write(tail)
    return path


def random_pieces(size: int) -> Iterator[bytes]:
    while size > 0:
        yield os.urandom(min(size, _PIECE))
        size -= _PIECE


def _deb(folder: Path) -> Path:
    control = ar_member(b"control.tar.xz", lzma.compress(b"control"))
    small = b"!<arch>\n" + ar_member(b"debian-binary", b"2.0\n") + control
    size = SIZE - len(small) - 60
    header = b"data.tar.xz".ljust(16) + b"0".ljust(12) + b"0     " * 2 + b"100644  " + str(size).encode().ljust(10)
    return write(folder / "thing.deb", small + header + b"`\n\xfd7zXZ\0", b"")


def _zip(path: Path, **entries: bytes) -> Path:
    """With one stored entry that fills it."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name.replace("_", "."), data)
        with archive.open(zipfile.ZipInfo("bulk"), "w", force_zip64=False) as out:
            for _ in range((SIZE >> 20) - 2):
                out.write(os.urandom(_PIECE))
    return path


def _msi(folder: Path) -> Path:
    """One stream that fills it; its tables, and the signature's, take a hundredth of it."""
    path, whole = folder / "thing.msi", min(SIZE, MOST_WINDOWS)
    bulk = entry("product.cab", whole - whole // 64 - _PIECE)
    root = compound_root([entry("\5SummaryInformation", 63), bulk])
    with path.open("wb") as out:
        out.writelines(write_compound(root, 512, lambda one: random_pieces(one.size)))
    return path


def _cab(folder: Path) -> Path:
    path, block = folder / "thing.cab", 1 << 15
    count = (min(SIZE, MOST_WINDOWS) - _PIECE) // block
    with path.open("wb") as out:
        out.write(cab_head(block, count))
        for _ in range(count):
            out.write(cab_block(block) + os.urandom(block))
    return path


BUILDERS: dict[str, Callable[[Path], Path]] = {
    "authenticode": lambda folder: write(folder / "thing.exe", pe_file(), b""),
    "msi": _msi,
    "cab": _cab,
    "kernel-module": lambda folder: write(folder / "thing.ko", module_file(), b""),
    "deb": _deb,
    "rpm": lambda folder: write(folder / "thing.rpm", rpm_file(b""), b""),
    "jar": lambda folder: _zip(folder / "thing.jar"),
    "apk": lambda folder: _zip(folder / "thing.apk", AndroidManifest_xml=android_manifest()),
}


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
