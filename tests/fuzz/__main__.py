"""Fuzzes each parser for a while, guided by coverage: `make fuzz`, or

python -m tests.fuzz SECONDS [TARGET…]

One process for each target, one after the other, at the lowest priority. What crashes, hangs (10 seconds) or takes over
2 GiB is kept under tests/fuzz/found/TARGET, where the tests find it. Corpora grow under .fuzz, which git ignores.
Exit status 1: something was found.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.fuzz.targets import FOUND, TARGETS

CORPORA = Path(".fuzz")


def main(seconds: int, names: list[str]) -> int:
    worst = 0
    for name in names or TARGETS:
        corpus, found = CORPORA / name, FOUND / name
        for folder in (corpus, found):
            folder.mkdir(parents=True, exist_ok=True)
        for number, seed in enumerate(TARGETS[name].seeds()):
            (corpus / f"seed-{number}").write_bytes(seed)
        limits = (f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1",
                  f"-artifact_prefix={found}/")  # fmt: skip
        print(f"== {name}", flush=True)
        command = [sys.executable, "-m", "tests.fuzz.one", name, *limits, str(corpus), str(found)]
        status = subprocess.run(command, preexec_fn=lambda: os.nice(19) and None, check=False).returncode
        worst = worst or int(status != 0)
        if not any(found.iterdir()):
            found.rmdir()
    return worst


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1]), sys.argv[2:]))
