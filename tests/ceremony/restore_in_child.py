"""Runs many restores of one backup, each in a process of its own that is killed, or short of disk, at some moment.

python restore_in_child.py SPEC, where SPEC is a JSON file: backup, trust, shares (holder → share file, key file), and
runs: name → {"home": …, "step": N} | {"home": …, "rename": "before" | "after"} | {"home": …, "file_size": bytes}.
Prints name → what it raised, "killed" or "done".
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any

from ceremony.backup_check import open_backup
from ceremony.gather import ShareAtHand
from ceremony.restore import run_restore
from hsmpub.model.trust import load_trust
from hsmpub.transcript.record import Step


def restore(spec: dict[str, Any], run: dict[str, Any]) -> str:
    trust = load_trust(Path(spec["trust"]).read_bytes())
    shares = [
        ShareAtHand(holder, Path(share).read_bytes(), bytearray(Path(key).read_bytes()))
        for holder, (share, key) in spec["shares"].items()
    ]
    rename = os.rename

    def renamed(source: Any, target: Any) -> None:
        if run.get("rename") == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        rename(source, target)
        if run.get("rename") == "after":
            os.kill(os.getpid(), signal.SIGKILL)

    def told(step: Step) -> None:
        if step.number == run.get("step"):
            os.kill(os.getpid(), signal.SIGKILL)

    os.rename = renamed  # type: ignore[assignment]
    try:
        with open_backup(Path(spec["backup"]), trust) as backup:
            if "file_size" in run:
                resource.setrlimit(resource.RLIMIT_FSIZE, (run["file_size"], run["file_size"]))
            run_restore(backup, trust, shares, Path(run["home"]), now=lambda: int(time.time()), told=told)
    except Exception as error:
        return type(error).__name__
    return "done"


def main() -> None:
    spec = json.loads(Path(sys.argv[1]).read_bytes())
    running: dict[int, tuple[str, int]] = {}
    for name, run in spec["runs"].items():
        said, say = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(said)
            os.write(say, restore(spec, run).encode())
            os._exit(0)
        os.close(say)
        running[pid] = (name, said)
    results = {}
    for pid, (name, said) in running.items():
        with open(said) as pipe:
            what = pipe.read()
        _, status = os.waitpid(pid, 0)
        results[name] = "killed" if os.WIFSIGNALED(status) else what
    print(json.dumps(results))


if __name__ == "__main__":
    main()
