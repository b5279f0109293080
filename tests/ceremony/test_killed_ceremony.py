"""A ceremony that is killed, or runs out of disk, at any system call: it resumes or rolls back, and says which."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ceremony_stage import Born, command, run_command
from light_home import AFTER, BEFORE, LIGHT, make_light_home, papers, token_of
from standing_stage import HOLDERS, copy_home, entries, files, now, write_papers

from ceremony.backup import BackupDuringCeremony, make_backup
from ceremony.standing.hold import hold, resume
from ceremony.standing.opened import NothingToResume
from ceremony.standing.quorum import AtHand
from hsmpub.errors import HsmpubError
from hsmpub.home import Home
from hsmpub.model import entry as e
from hsmpub.model.trust import load_trust
from hsmpub.sandbox import python_command
from hsmpub.shares.record_file import load_unseal_record

CALLS = ("open", "write", "pwrite", "fsync", "fdatasync", "replace", "rename", "unlink", "mkdir")
KILLED, REFUSED, DONE, OTHER = 99, 98, 0, 97


def in_child(work: Callable[[], object], trouble: Callable[[str], None]) -> int:
    """Runs `work` in a forked process, with `trouble` called before each system call that changes or syncs files."""
    pid = os.fork()
    if pid == 0:
        code = OTHER
        try:
            for name in CALLS:
                _wrap(name, trouble)
            try:
                work()
                code = DONE
            except HsmpubError:
                code = REFUSED
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _wrap(name: str, trouble: Callable[[str], None]) -> None:
    real: Callable[..., Any] = getattr(os, name)

    def call(*args: Any, **options: Any) -> Any:
        if name != "open" or args[1] & os.O_CREAT:
            trouble(name)
        return real(*args, **options)

    setattr(os, name, call)


def dies_at(number: int) -> Callable[[str], None]:
    left = iter(range(number, -1, -1))

    def trouble(name: str) -> None:
        if next(left) == 0:
            os._exit(KILLED)

    return trouble


def full_from(number: int) -> Callable[[str], None]:
    """The disk is full from that call on; what frees room or is written in place (the log's head) still works."""
    seen = 0

    def trouble(name: str) -> None:
        nonlocal seen
        seen += 1
        if seen > number and name in ("open", "write", "mkdir", "replace", "rename"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    return trouble


def ceremony(home: Home) -> Callable[[], object]:
    return lambda: hold(LIGHT, papers(), home, AtHand(), now=now)


def ending(home: Home) -> Callable[[], object]:
    return lambda: resume({"pin-change": LIGHT}, home, AtHand(), now=now)


def state_of(home: Home, before: dict[str, bytes]) -> str:
    """`before` or `after`, whole; anything between fails."""
    log = entries(home, load_trust(home.trust.read_bytes()).log_key)
    held = [entry for entry in log if isinstance(entry, e.CeremonyHeld)]
    if not held:
        there = files(home)
        if not home.ceremony_journal.exists():
            there.pop("keeper/ceremony.json.new", None)  # killed at the very first write: the next one overwrites it
        assert there == before
        return "before"
    assert [(entry.number, entry.ceremony) for entry in held] == [(1, "pin-change")]
    assert token_of(home).read_bytes() == AFTER
    assert load_unseal_record(home.unseal_record.read_bytes()).pin_box == AFTER.hex()
    assert (home.root / "certificate.pem").read_bytes() == b"new"
    assert not (home.keeper / "goes").exists()
    names = {name for name in files(home) if name.startswith("ceremonies/")}
    made = ("ceremony.toml", "shares/holder-1.age", "transcript.json")
    assert names == {f"ceremonies/1-pin-change/{name}" for name in made}
    assert not [name for name in files(home) if "of-ceremony" in name or name.endswith((".new", "ceremony.json"))]
    return "after"


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return make_light_home(tmp_path_factory.mktemp("light") / "home")


def copies(light: Home, folder: Path) -> Iterator[Home]:
    for number in range(1000):
        yield Home(Path(shutil.copytree(light.root, folder / str(number))))


def test_killed_at_any_call_it_ends_whole_and_says_how(light: Home, tmp_path: Path) -> None:
    before, seen = files(light), []
    for number, home in enumerate(copies(light, tmp_path)):
        code = in_child(ceremony(home), dies_at(number))
        if code == DONE:
            break
        assert code == KILLED, number
        try:
            how: str = resume({"pin-change": LIGHT}, home, AtHand(), now=now).how
        except NothingToResume:
            how = "nothing"
        state = state_of(home, before)
        assert (how, state) in {
            ("nothing", "before"), ("rolled back", "before"), ("resumed", "after"), ("finished", "after"),
            ("nothing", "after"),
        }, number  # fmt: skip
        seen.append(how)
    assert state_of(home, before) == "after"
    assert list(dict.fromkeys(seen)) == ["nothing", "rolled back", "resumed", "finished"] or seen[-1] == "nothing"
    assert set(seen) == {"nothing", "rolled back", "resumed", "finished"}


@pytest.mark.parametrize("first", ["resumed", "finished"])
def test_killed_again_while_it_is_resumed(light: Home, tmp_path: Path, first: str) -> None:
    before = files(light)
    source = next(
        home
        for number, home in enumerate(copies(light, tmp_path / "first"))
        if in_child(ceremony(home), dies_at(number)) == KILLED and _phase(home) == first
    )
    for number, home in enumerate(copies(source, tmp_path / "again")):
        if in_child(ending(home), dies_at(number)) == DONE:
            break
        if home.ceremony_journal.exists():
            ending(home)()
        assert state_of(home, before) == "after", number
    assert state_of(home, before) == "after"


def _phase(home: Home) -> str:
    if not home.ceremony_journal.exists():
        return "nothing"
    text = home.ceremony_journal.read_text()
    return "resumed" if '"acting"' in text else "finished" if '"committing"' in text else "rolled back"


def test_a_full_disk_leaves_everything_as_it_was_or_is_resumed_when_there_is_room(light: Home, tmp_path: Path) -> None:
    before, seen = files(light), []
    for number, home in enumerate(copies(light, tmp_path)):
        code = in_child(ceremony(home), full_from(number))
        if code == DONE:
            break
        assert code == REFUSED, number
        if home.ceremony_journal.exists():
            seen.append(_phase(home))
            ending(home)()
        else:
            seen.append("before")
        assert state_of(home, before) == ("before" if seen[-1] in ("before", "rolled back") else "after"), number
    assert {"before", "resumed", "finished"} <= set(seen)
    assert token_of(light).read_bytes() == BEFORE


def test_neither_keeper_nor_backup_starts_before_it_is_resumed(light: Home, tmp_path: Path) -> None:
    home = next(copies(light, tmp_path))
    assert in_child(ceremony(home), dies_at(8)) == KILLED
    keeper = subprocess.run([*python_command("hsmpub.keeper.main"), str(home.root)], capture_output=True, check=False)
    assert keeper.returncode == 1
    assert b"A ceremony was interrupted in this home. Run 'hsmpub-ceremony resume'" in keeper.stderr
    with pytest.raises(BackupDuringCeremony):
        make_backup(home, tmp_path / "backup.tar", now=now())
    assert not (tmp_path / "backup.tar").exists()


@pytest.mark.parametrize(("step", "how"), [(3, b"was rolled back"), (5, b"was resumed")])
def test_sigkill_of_a_real_one(born: Born, tmp_path: Path, step: int, how: bytes) -> None:
    """Step 3: while shares come in; step 5: the PIN has just been changed."""
    home = copy_home(born.home, tmp_path / "home")
    file = write_papers(tmp_path / "papers", ceremony='ceremony = "pin-change"\nservice = "releases"\n')
    options: list[str | Path] = ["--home", home.root]
    for name in HOLDERS:
        options += ["--share", f"{name}={home.genesis / 'shares' / name}.age"]
        options += ["--identity", f"{name}={born.stage.key_file(name)}"]
    with subprocess.Popen(
        command("pin-change", file, *options), stdout=subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith(f"{step:>3}  ".encode()):
                process.send_signal(signal.SIGKILL)
                break
        process.stdout.read()
    assert process.returncode == -signal.SIGKILL
    said = run_command("resume", *options)
    assert how in said.stdout, said.stderr
    assert run_command("pin-change", file, *options).returncode == 0
