"""A signal stops the courier whatever it was doing."""

from __future__ import annotations

import subprocess
import sys

#: The signals arrive in the thread that waits, while it holds the lock of what it waits for.
_WORST_MOMENT = """
import signal
from hsmpub.courier.main import stop_by_signal
stop = stop_by_signal()
with stop._cond:
    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGINT)
print(stop.wait(60))
"""


def test_signals_at_the_worst_moment_stop_it_all_the_same() -> None:
    said = subprocess.run([sys.executable, "-c", _WORST_MOMENT], capture_output=True, text=True, timeout=120)
    assert (said.returncode, said.stdout) == (0, "True\n"), said.stderr
