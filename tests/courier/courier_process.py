"""The real courier as a process of its own, with times that suit a test."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from hsmpub.courier.patience import Patience

QUICK = Patience(
    timeout=5.0, lifetime=10.0, reads=4, settle=0.05, tries=3, pause=0.05, pause_most=0.2, rest=0.2, rest_most=0.5,
    poll=0.05, refresh=300.0,
)  # fmt: skip

#: Imports as hsmpub.sandbox.python_command has them.
_PROGRAM = """
import gc, sys
gc.disable()
sys.path[:0] = {paths!r}
from pathlib import Path
from hsmpub.courier.main import run, _read_token
from hsmpub.courier.patience import Patience
from hsmpub.home import Home
gc.freeze()
gc.enable()
raise SystemExit(run(Home(Path(sys.argv[1])), _read_token(int(sys.argv[2])), Patience(**{patience!r})))
"""


@dataclass
class CourierProcess:
    """Start it, kill it, start it again; what all of them wrote is in `log`."""

    home: Path
    token: bytes
    patience: Patience = QUICK
    log: Path = field(init=False)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.log = self.home / "courier.log"

    def start(self) -> None:
        reading, writing = os.pipe()
        os.write(writing, self.token)
        os.close(writing)
        program = _PROGRAM.format(paths=[p for p in sys.path if p] + [os.getcwd()], patience=vars(self.patience))
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", program, str(self.home), str(reading)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=[reading], env={"PATH": os.defpath},
            )  # fmt: skip
        os.close(reading)

    def kill(self) -> None:
        """kill -9, as the machine would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(30)

    def children(self) -> list[int]:
        """Process ids of its children that live now."""
        assert self.process is not None
        found: list[int] = []
        for path in Path(f"/proc/{self.process.pid}/task").glob("*/children"):
            try:
                found += [int(pid) for pid in path.read_text().split()]
            except OSError:
                continue
        return found
