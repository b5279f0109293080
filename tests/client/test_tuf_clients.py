"""python-tuf's client and tuf-js take what is published, and refuse what was altered, rolled back, frozen or mixed."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tuf.api.exceptions import RepositoryError
from tuf_world import CONTENT, KEYS, SETTINGS, Tuf, fetch, served

from hsmpub.model.key import KeyKind
from tests.npm import installed, node
from tests.proofs import Prove


def _flip(path: Path, before: bytes, after: bytes) -> None:
    data = path.read_bytes()
    assert before in data
    path.write_bytes(data.replace(before, after, 1))


def _alter_target(tuf: Tuf, old: Path) -> None:
    [path] = (tuf.root / "targets").iterdir()
    _flip(path, b"release", b"relaese")


def _alter_timestamp(tuf: Tuf, old: Path) -> None:
    _flip(tuf.at("timestamp.json"), b'"version":2}}', b'"version":9}}')


def _alter_targets_metadata(tuf: Tuf, old: Path) -> None:
    _flip(tuf.at("2.targets.json"), b'"length":33', b'"length":34')


def _roll_back(tuf: Tuf, old: Path) -> None:
    shutil.copy(old / "timestamp.json", tuf.at("timestamp.json"))


def _mix_and_match(tuf: Tuf, old: Path) -> None:
    """The old targets under the name of the new ones."""
    shutil.copy(tuf.at("1.targets.json"), tuf.at("2.targets.json"))


def _drop_a_signature(tuf: Tuf, old: Path) -> None:
    """The next root, with one signature where two are asked for."""
    with tuf.opened() as repository:
        repository.change_root()
        assert repository.publish()
    data = json.loads(tuf.at("2.root.json").read_bytes())
    data["signatures"].pop()
    tuf.at("2.root.json").write_text(json.dumps(data))


TAMPERING: list[Callable[[Tuf, Path], None]] = [
    _alter_target, _alter_timestamp, _alter_targets_metadata, _roll_back, _mix_and_match, _drop_a_signature,
]  # fmt: skip


def _published(tmp_path: Path) -> tuple[Tuf, Path]:
    """A repository, and its metadata as it was before the target came."""
    tuf, old = Tuf(tmp_path / "tuf"), tmp_path / "old"
    with tuf.opened() as repository:
        repository.begin()
        repository.publish()
    shutil.copytree(tuf.at(""), old)
    (tuf.root / "x.whl").write_bytes(CONTENT)
    with tuf.opened() as repository:
        repository.change_targets([tuf.root / "x.whl"], ())
        repository.publish()
    return tuf, old


def _spoil(path: Path) -> None:
    """Alters each signature of a piece of metadata."""
    data = json.loads(path.read_bytes())
    for one in data["signatures"]:
        one["sig"] = one["sig"][:-1] + ("0" if one["sig"][-1] != "0" else "1")
    path.write_text(json.dumps(data))


FILES = {"root": "1.root.json", "targets": "2.targets.json", "snapshot": "2.snapshot.json",
         "timestamp": "timestamp.json"}  # fmt: skip


@pytest.mark.parametrize("kind", ["p256", "ed25519"])
def test_python_tuf_takes_the_target_and_no_role_with_another_signature(
    tmp_path: Path, kind: KeyKind, proof: Prove
) -> None:
    tuf = Tuf(tmp_path / "tuf", kind=kind).begun()
    with served(tuf.root) as url:

        def takes(home: str) -> bool:
            try:
                return fetch(url, tmp_path / home, tuf.at("1.root.json").read_bytes()) == CONTENT
            except RepositoryError:
                return False

        good = takes("good")
        for role, name in FILES.items():
            before = tuf.at(name).read_bytes()
            _spoil(tuf.at(name))
            proof(f"tuf-{role}", kind, "python-tuf ngclient", good=good, tampered=takes(role),
                  on="python-tuf's metadata", version=importlib.metadata.version("tuf"))  # fmt: skip
            tuf.at(name).write_bytes(before)


@pytest.mark.parametrize("tamper", TAMPERING, ids=lambda one: one.__name__.strip("_"))
def test_python_tuf_refuses(tmp_path: Path, tamper: Callable[[Tuf, Path], None]) -> None:
    tuf, old = _published(tmp_path)
    root, home = tuf.at("1.root.json").read_bytes(), tmp_path / "home"
    with served(tuf.root) as url:
        assert fetch(url, home, root) == CONTENT
        tamper(tuf, old)
        if tamper in (_alter_targets_metadata, _mix_and_match):  # what it has at hand it does not fetch again
            (home / "targets.json").unlink()
        with pytest.raises(RepositoryError):
            fetch(url, home, root)


def test_python_tuf_refuses_a_frozen_repository_and_takes_it_once_refreshed(tmp_path: Path) -> None:
    tuf = Tuf(tmp_path / "tuf", datetime.now(UTC) - timedelta(days=3)).begun()
    root = tuf.at("1.root.json").read_bytes()
    with served(tuf.root) as url:
        with pytest.raises(RepositoryError, match="expired"):
            fetch(url, tmp_path / "home", root)
        assert tuf.refresh(days=3) == ["3.timestamp.signed.json"]
        assert fetch(url, tmp_path / "home", root) == CONTENT


def test_a_client_with_the_first_root_follows_to_the_third(tmp_path: Path) -> None:
    tuf = Tuf(tmp_path / "tuf").begun()
    root = tuf.at("1.root.json").read_bytes()
    second = SETTINGS.replace('{ key = "root-2", project = "tuf-root-2" }', '{ key = "root-3", project = "r3" }')
    leaving = 'threshold = 2\nleaving = [{ key = "root-2", project = "tuf-root-2" }]'
    third = second.replace('key = "online"', 'key = "online-2"')
    with served(tuf.root) as url:
        for settings in (second.replace("threshold = 2", leaving), third):
            tuf.write(settings)
            with tuf.opened() as repository:
                repository.change_root()
                assert repository.publish()
            assert fetch(url, tmp_path / "home", root) == CONTENT
    assert json.loads(tuf.at("3.root.json").read_bytes())["signed"]["version"] == 3
    assert len(json.loads(tuf.at("2.root.json").read_bytes())["signatures"]) == 3


def test_tuf_js_takes_the_target_and_no_role_with_another_signature_nor_a_rollback(
    tmp_path: Path, proof: Prove
) -> None:
    version = installed("tuf-js")
    signers = {"root": "root-1", "targets": "targets", "snapshot": "online", "timestamp": "online"}
    tuf, old = _published(tmp_path)
    with served(tuf.root) as url:
        good = _js(tuf, url, tmp_path / "good")
        assert (tmp_path / "good" / "x.whl").read_bytes() == CONTENT
        for role, name in FILES.items():
            before = tuf.at(name).read_bytes()
            _spoil(tuf.at(name))
            tampered = _js(tuf, url, tmp_path / role)
            proof(f"tuf-{role}", KEYS[signers[role]][0], "tuf-js", good=not good.returncode,
                  tampered=not tampered.returncode, on="python-tuf's metadata", version=version)  # fmt: skip
            tuf.at(name).write_bytes(before)
        _roll_back(tuf, old)
        assert b"is less than current version" in _js(tuf, url, tmp_path / "good").stderr


def _js(tuf: Tuf, url: str, home: Path) -> subprocess.CompletedProcess[bytes]:
    home.mkdir(exist_ok=True)
    root = home / "root.json" if (home / "root.json").exists() else tuf.at("1.root.json")
    return node("tuf.cjs", root, url, "x.whl", home)
