"""`make bench`: everything in one run, as ratios to the raw module or sha256sum of the same machine and minute.

python -m tests.bench [PART…]   parts: service, formats, many, large; none: all of them
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from deploy.demo.servers.issuer import Issuer
from deploy.demo.stage import Stage
from tests.bench import apart, formats, large, machine, many, service
from tests.box import running
from tests.every_key import EveryKey

#: Those that share one service with a key for each family of formats.
_PARTS: dict[str, Callable[[EveryKey, Path, Console], None]] = {
    "formats": formats.main,
    "many": many.main,
    "large": large.main,
}


def main() -> None:
    wanted = sys.argv[1:] or ["service", *_PARTS]
    if unknown := set(wanted) - {"service", *_PARTS}:
        sys.exit(f"There is no part {', '.join(sorted(unknown))}: {', '.join(['service', *_PARTS])}.")
    console = Console(width=160)
    machine.say_machine(console)
    if "service" in wanted:
        service.main(console)
    if parts := [part for name, part in _PARTS.items() if name in wanted]:
        with tempfile.TemporaryDirectory(prefix="hsmpub-bench-") as name, Issuer.start() as issuer:
            place = EveryKey(Path(name), issuer, more=apart.KEYS, projects=apart.POLICY, authority=apart.AUTHORITY,
                             staged=Stage)  # fmt: skip
            with running(place.world):
                for part in parts:
                    part(place, Path(name), console)
            place.close()


if __name__ == "__main__":
    main()
