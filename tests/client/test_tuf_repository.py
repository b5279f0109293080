"""The folder of a TUF repository: refreshed by itself, whatever was cut short; what does not verify stays in it."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
from pathlib import Path

import pytest
from tuf_world import CONTENT, SETTINGS, Tuf, fetch, served

from hsmpub.client.sha256 import NotAPlainFile
from hsmpub.client.tuf import folder as folder_module
from hsmpub.client.tuf.expiry import OFFLINE, standings
from hsmpub.client.tuf.folder import Folder, TufDoesNotVerify, TufFolderInUse, TufMetadataUnreadable, TufRoleMissing
from hsmpub.client.tuf.repository import TufAlreadyBegun, TufNoSuchTarget, TufStillStaged
from hsmpub.client.tuf.settings import TufSettingsWrong, read_settings
from hsmpub.model.submission import HostileName


def test_refresh_does_nothing_while_nothing_expires(tmp_path: Path) -> None:
    tuf = Tuf(tmp_path / "tuf").begun()
    before = {path.name: path.read_bytes() for path in tuf.at("").iterdir()}
    assert tuf.refresh(hours=30) == []
    assert {path.name: path.read_bytes() for path in tuf.at("").iterdir()} == before


def test_refresh_signs_what_expires_soon_and_no_more(tmp_path: Path) -> None:
    tuf = Tuf(tmp_path / "tuf").begun()
    assert tuf.refresh(hours=37) == ["3.timestamp.signed.json"]
    assert tuf.refresh() == []
    assert tuf.refresh(days=3) == ["3.snapshot.signed.json", "4.timestamp.signed.json"]
    with tuf.opened() as repository:
        repository.refresh(within=3 * 86_400)
    assert tuf.asking.asked[-1][0] == "5.timestamp.signed.json"


class _Crash(BaseException):
    pass


def test_a_refresh_cut_short_anywhere_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At each write in turn the process dies, before or after it; the next run ends with a repository that clients
    take, and no version is ever signed over two contents."""
    write_whole = folder_module.write_whole
    signed: dict[str, set[bytes]] = {}
    first = Tuf(tmp_path / "first").begun()
    for step, after in itertools.product(range(9), (False, True)):
        tuf = Tuf(Path(shutil.copytree(first.root, tmp_path / f"{step}{after}")), first.now)
        root, asking, left = tuf.at("1.root.json").read_bytes(), tuf.asking.signature, [step]

        def dying(folder: Path, name: str, data: bytes, left: list[int] = left, after: bool = after) -> Path:
            left[0] -= 1
            path = write_whole(folder, name, data) if left[0] != -1 or after else folder
            if left[0] == -1:
                raise _Crash
            return path

        def noting(role, path, by, asking=asking, case=f"{step}{after}"):
            signed.setdefault(f"{case} {path.name}", set()).add(path.read_bytes())
            return asking(role, path, by)

        monkeypatch.setattr(tuf.asking, "signature", noting)
        with monkeypatch.context() as patch:
            patch.setattr(folder_module, "write_whole", dying)
            if step < 8:
                with pytest.raises(_Crash):
                    tuf.refresh(days=5)
            else:
                tuf.refresh(days=5)
        tuf.refresh(minutes=1)
        assert not list((tuf.root / "staged").iterdir())
        assert tuf.refresh(minutes=1) == []
        timestamp = json.loads(tuf.at("timestamp.json").read_bytes())["signed"]
        newest = timestamp["meta"]["snapshot.json"]["version"]
        assert tuf.at(f"{newest}.snapshot.json").exists()
        if step in (0, 7):
            with served(tuf.root) as url:
                assert fetch(url, tmp_path / f"home{step}{after}", root) == CONTENT
    assert all(len(contents) == 1 for contents in signed.values())


def test_a_root_waits_until_enough_keys_have_signed(tmp_path: Path) -> None:
    tuf = Tuf(tmp_path / "tuf")
    tuf.asking.waiting = {"root-2"}
    with tuf.opened() as repository:
        repository.begin()
        assert not repository.publish()
        assert not tuf.at("1.root.json").exists()
        tuf.asking.waiting.clear()
        tuf.asking.asked.clear()
        assert repository.publish()
    assert ("1.root.signed.json", "root-1") not in tuf.asking.asked  # what was given is kept
    assert tuf.at("timestamp.json").exists()


def test_a_root_that_the_old_keys_did_not_sign_is_not_published(tmp_path: Path) -> None:
    tuf = Tuf(tmp_path / "tuf").begun()
    tuf.write(SETTINGS.replace('key = "root-2"', 'key = "root-3"'))
    with tuf.opened() as repository:
        repository.change_root()
        assert not repository.publish()
    assert not tuf.at("2.root.json").exists()
    assert tuf.told[-1] == "root metadata of version 2 is not signed by enough keys yet."


def test_keys_of_the_settings_that_the_root_does_not_name_sign_nothing_published(tmp_path: Path) -> None:
    tuf = Tuf(tmp_path / "tuf").begun()
    tuf.write(SETTINGS.replace('key = "online"', 'key = "online-2"'))
    before = tuf.at("timestamp.json").read_bytes()
    with pytest.raises(TufDoesNotVerify):
        tuf.refresh(days=5)
    assert tuf.at("timestamp.json").read_bytes() == before


def test_a_signature_that_was_altered_is_not_published(tmp_path: Path) -> None:
    tuf = Tuf(tmp_path / "tuf").begun()
    asking = tuf.asking.signature
    tuf.asking.signature = lambda *how: asking(*how).replace(b'"sig":"', b'"sig":"00', 1)
    with pytest.raises(TufDoesNotVerify):
        tuf.refresh(days=5)


def test_versions_begin_after_what_was_lost(tmp_path: Path) -> None:
    tuf = Tuf(tmp_path / "tuf").begun()
    with tuf.opened(days=5) as repository:
        repository.refresh(past=40)
    assert tuf.at("41.snapshot.json").exists()


def test_warns_of_offline_roles_before_they_expire(tmp_path: Path) -> None:
    tuf = Tuf(tmp_path / "tuf").begun()

    def due() -> dict[str, bool]:
        return {one.role: one.is_due for one in standings(Folder(tuf.root), read_settings(tuf.root), tuf.now)}

    assert not any(due().values())
    tuf.refresh(days=80)
    assert due() == {"root": False, "targets": True, "snapshot": False, "timestamp": False}
    assert "targets" in OFFLINE


def test_one_command_at_a_time(tmp_path: Path) -> None:
    tuf = Tuf(tmp_path / "tuf").begun()
    with tuf.opened(), pytest.raises(TufFolderInUse), tuf.opened():
        pass


def test_refuses_what_makes_no_sense(tmp_path: Path) -> None:
    tuf = Tuf(tmp_path / "tuf")
    with tuf.opened() as repository:
        with pytest.raises(TufRoleMissing):
            repository.refresh()
        tuf.asking.waiting = {"targets"}
        repository.begin()
        assert not repository.publish()
        with pytest.raises(TufAlreadyBegun):
            repository.begin()
        with pytest.raises(TufStillStaged):
            repository.change_targets((), ())
        tuf.asking.waiting.clear()
        repository.publish()
        with pytest.raises(TufNoSuchTarget):
            repository.change_targets((), ["y"])
    tuf.at("1.root.json").write_bytes(b"{}")
    with tuf.opened() as repository, pytest.raises(TufMetadataUnreadable):
        repository.refresh()


def test_takes_only_plain_files_as_targets(tmp_path: Path) -> None:
    tuf = Tuf(tmp_path / "tuf").begun()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "-x").write_bytes(b"")
    for name, rule in (("pipe", NotAPlainFile), ("folder", NotAPlainFile), ("-x", HostileName)):
        with tuf.opened() as repository, pytest.raises(rule):
            repository.change_targets([tmp_path / name], ())
    assert len(list((tuf.root / "targets").iterdir())) == 1


@pytest.mark.parametrize(
    ("said", "instead"),
    [
        ("threshold = 2", "threshold = 3"),
        ("threshold = 2", "threshold = 0"),
        ('"365d"', '"3000d"'),
        ('"12h"', '"2d"'),
        ('"12h"', '"12"'),
        ('key = "root-2"', 'key = "root-1"'),
        ("threshold = 2", "treshold = 2"),
        ('valid = "90d"', 'valid = "90d"\nleaving = [{ key = "x", project = "x" }]'),
        ("[timestamp]", "[timestamps]"),
    ],
)
def test_settings_that_make_no_sense_are_refused_with_their_line(tmp_path: Path, said: str, instead: str) -> None:
    assert said in SETTINGS
    tuf = Tuf(tmp_path / "tuf", settings=SETTINGS.replace(said, instead))
    with pytest.raises(TufSettingsWrong, match="Line"):
        read_settings(tuf.root)


def test_the_documents_show_settings_that_load(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "tuf.md").read_text()
    [settings] = re.findall(r"^```toml\n(\[root\].*?)^```", page, re.MULTILINE | re.DOTALL)
    assert read_settings(Tuf(tmp_path / "tuf", settings=settings).root).timestamp.renew == 12 * 3600
