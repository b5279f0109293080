"""Processor time of the service's processes, by their role: steadier than rates on a shared machine."""

from __future__ import annotations

import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_ROLES = {
    "hsmpub.keeper.main": "keeper",
    "hsmpub.tlog.writing": "log",
    "api.main": "front",
    "hsmpub.hsm.worker": "signers",
}


def cpu_seconds(supervisor: int) -> dict[str, float]:
    """Seconds of processor time used so far, by role, of everything below one process."""
    used: dict[str, float] = dict.fromkeys(_ROLES.values(), 0.0)
    for pid in _below(supervisor):
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        for module, role in _ROLES.items():
            if module in command:
                used[role] += (int(fields[11]) + int(fields[12])) / _TICKS
    return used


def _below(pid: int) -> list[int]:
    found, queue = [], [pid]
    while queue:
        one = queue.pop()
        found.append(one)
        for task in Path(f"/proc/{one}/task").glob("*/children"):
            queue += [int(child) for child in task.read_text().split()]
    return found
