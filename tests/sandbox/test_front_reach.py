"""What a front gone bad reaches of the home when it runs as the own user of the keeper: its uploads, and the log."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from hsmpub.sandbox import python_command
from hsmpub.sandbox.landlock import landlock_abi

pytestmark = pytest.mark.skipif(landlock_abi() < 6, reason="this kernel has no Landlock, or an old one")

ATTEMPTS = """
import json, os, resource, signal, sys
from pathlib import Path
from api.main import confine
from api.settings import load_settings
home, keeper = Path(sys.argv[1]), int(sys.argv[2])
confine(load_settings(home))
came_to = {}
def attempt(name, action):
    try:
        action()
    except OSError as error:
        came_to[name] = type(error).__name__
    else:
        came_to[name] = "done"
for name in ("keeper/identity.key", "keeper/head", "config.toml", "trust.json", "courier/workflows.sqlite", "log/log"):
    attempt(f"read {name}", lambda: (home / name).read_bytes())
    attempt(f"write {name}", lambda: os.close(os.open(home / name, os.O_WRONLY)))
for name in (".", "keeper", "run", "log", "courier", "artifacts"):
    attempt(f"create in {name}", lambda: (home / name / "made").write_bytes(b""))
attempt("replace a socket", lambda: os.rename(home / "run/front.sock", home / "run/other"))
attempt("link out of reach", lambda: os.link(home / "keeper/identity.key", home / "artifacts/key"))
attempt("signal", lambda: os.kill(keeper, signal.SIGTERM))
attempt("limit", lambda: resource.prlimit(keeper, resource.RLIMIT_CPU, (1, 1)))
attempt("memory", lambda: open(f"/proc/{keeper}/mem", "rb"))
attempt("starve", lambda: os.setpriority(os.PRIO_PROCESS, keeper, 19))
print(json.dumps(came_to))
"""


def test_a_front_of_the_keepers_own_user_reaches_uploads_and_the_log_only(tmp_path: Path) -> None:
    for name in ("keeper", "run", "log", "courier", "artifacts"):
        (tmp_path / name).mkdir()
    (tmp_path / "config.toml").write_text('[hsm]\nmodule = "/usr/lib/none.so"\ntoken = "none"\n')
    for name in ("keeper/identity.key", "keeper/head", "trust.json", "courier/workflows.sqlite", "log/log",
                 "run/front.sock"):  # fmt: skip
        (tmp_path / name).write_text("{}")
    keeper = subprocess.Popen(["sleep", "60"])
    try:
        command = python_command("hsmpub.sandbox")
        command[-1] = command[-1].split("from hsmpub")[0] + f"exec({ATTEMPTS!r})"
        done = subprocess.run([*command, str(tmp_path), str(keeper.pid)], capture_output=True, timeout=60, check=True)
        came_to = json.loads(done.stdout)
        assert keeper.poll() is None
    finally:
        keeper.kill()
        keeper.wait()
    reached = {name for name, outcome in came_to.items() if outcome == "done"}
    assert reached == {"read log/log", "create in artifacts"}
