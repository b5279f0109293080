"""A restore that is killed at any step, or has no room: there is a whole home or none, and the next run says which."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ceremony_stage import Born

from ceremony.backup import make_backup
from ceremony.backup_check import open_backup
from ceremony.place import CeremonyUnfinished, HomeExists, Place
from hsmpub.home import Home
from hsmpub.tlog.log import Log

STEPS = ("backup", "first share", "second share", "keys", "token", "unseal quorum", "outputs")
#: Bytes at which a write fails: of a small file, of the log's database.
SIZES = {"one kilobyte": 1 << 10, "sixteen kilobytes": 16 << 10}


@pytest.fixture(scope="module")
def runs(born: Born, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """Every restore at once: what each said, and the folder with its homes."""
    folder = tmp_path_factory.mktemp("interrupted")
    make_backup(born.home, folder / "backup.tar", now=int(time.time()))
    names = ("recovery-1", "recovery-2")
    runs: dict[str, dict[str, object]] = {step: {"step": number} for number, step in enumerate(STEPS, 1)}
    runs |= {"before the rename": {"rename": "before"}, "after the rename": {"rename": "after"}}
    runs |= {name: {"file_size": size} for name, size in SIZES.items()}
    spec = {
        "backup": str(folder / "backup.tar"),
        "trust": str(born.home.trust),
        "shares": {
            name: [str(born.home.genesis / "recovery" / f"{name}.age"), str(born.stage.key_file(name))]
            for name in names
        },
        "runs": {name: {**run, "home": str(folder / name / "home")} for name, run in runs.items()},
    }
    (folder / "spec.json").write_text(json.dumps(spec))
    program = Path(__file__).with_name("restore_in_child.py")
    command = [sys.executable, "-c", "import sys, runpy; sys.path[:0] = sys.argv.pop(1).split(':'); "
               "runpy.run_path(sys.argv.pop(1), run_name='__main__')", ":".join(sys.path), program]  # fmt: skip
    (folder / "tmp").mkdir()
    own = {**os.environ, "TMPDIR": str(folder / "tmp")}
    ran = subprocess.run([*command, folder / "spec.json"], capture_output=True, check=True, timeout=120, env=own)
    return folder, json.loads(ran.stdout)


@pytest.mark.parametrize("moment", [*STEPS, "before the rename"])
def test_killed_before_its_end_it_leaves_no_home_and_says_so(runs: tuple[Path, dict[str, str]], moment: str) -> None:
    folder, said = runs
    home = folder / moment / "home"
    assert said[moment] == "killed"
    assert not home.exists()
    assert "did not finish" in (folder / moment / "home.incomplete" / "INCOMPLETE").read_text()
    with pytest.raises(CeremonyUnfinished, match=r"home\.incomplete"), Place(home):
        pytest.fail("it began")


def test_killed_after_its_last_act_the_home_is_whole(born: Born, runs: tuple[Path, dict[str, str]]) -> None:
    folder, said = runs
    home = Home(folder / "after the rename" / "home")
    assert said["after the rename"] == "killed"
    Log.open(home.log, home.log_head, log_key=born.done.trust.log_key).close()
    assert home.unseal_record.exists()
    with pytest.raises(HomeExists), Place(home.root):
        pytest.fail("it began")


def test_what_a_killed_one_had_unpacked_goes_with_the_next(born: Born, runs: tuple[Path, dict[str, str]]) -> None:
    folder, _ = runs
    left = list((folder / "tmp").iterdir())
    assert left, "nothing was left that could have stayed"
    with open_backup(folder / "backup.tar", born.done.trust, folder=folder / "tmp") as backup:
        assert list((folder / "tmp").iterdir()) == [backup.root]
    assert list((folder / "tmp").iterdir()) == []


@pytest.mark.parametrize("moment", SIZES)
def test_without_room_nothing_is_left(runs: tuple[Path, dict[str, str]], moment: str) -> None:
    folder, said = runs
    assert said[moment] in ("OutputNotWritten", "LogUnavailable", "DiskFull"), said[moment]
    assert list((folder / moment).iterdir()) == []
