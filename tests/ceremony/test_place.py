"""Nothing is overwritten, and a killed ceremony leaves no half home."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from ceremony_stage import Stage, command, run_command

from ceremony.place import CeremonyUnfinished, HomeExists, OutputExists, OutputNotWritten, Place, write_new


def test_refuses_what_is_there_before_anything_happens(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "something").touch()
    with pytest.raises(HomeExists), Place(home):
        pytest.fail("it began")
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("file", "link"):
        with pytest.raises(HomeExists), Place(tmp_path / name):
            pytest.fail("it began")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "home", "link"]


def test_outputs_are_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "out"
    write_new(path, b"first")
    with pytest.raises(OutputExists):
        write_new(path, b"second")
    assert path.read_bytes() == b"first"
    with pytest.raises(OutputNotWritten):
        write_new(tmp_path / "missing" / "out", b"x")


def test_a_failure_leaves_nothing_and_success_only_the_home(tmp_path: Path) -> None:
    def fail(place: Place) -> None:
        place.write(place.root / "a" / "b", b"x")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), Place(tmp_path / "home") as place:
        fail(place)
    assert list(tmp_path.iterdir()) == []
    with Place(tmp_path / "home") as place:
        place.write(place.root / "a" / "b", b"x")
        place.finish()
    assert [path.name for path in tmp_path.iterdir()] == ["home"]
    assert (tmp_path / "home" / "a" / "b").read_bytes() == b"x"


def test_a_home_that_appears_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with Place(home) as place:
        home.mkdir()
        (home / "theirs").touch()
        with pytest.raises(HomeExists):
            place.finish()
    assert [path.name for path in home.iterdir()] == ["theirs"]
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


@pytest.mark.parametrize("step", [2, 4, 8])
def test_kill_during_genesis_leaves_no_half_home(stage: Stage, step: int) -> None:
    home = stage.folder / "home"
    with subprocess.Popen(
        command("genesis", stage.file, "--home", home),
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith(f"{step:>3}  ".encode()):
                process.send_signal(signal.SIGKILL)
                break
        process.stdout.read()
    assert process.returncode == -signal.SIGKILL
    assert not home.exists()
    left = stage.folder / "home.incomplete"
    assert "did not finish" in (left / "INCOMPLETE").read_text()
    again = run_command("genesis", stage.file, "--home", home)
    assert again.returncode == 1
    assert b"is left from a ceremony that did not finish" in again.stderr
    assert not home.exists()
    with pytest.raises(CeremonyUnfinished), Place(home):
        pytest.fail("it began")
