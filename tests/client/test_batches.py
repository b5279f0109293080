"""How files are grouped into requests, and what is believed of the answers."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hsmpub.client.batches import batches
from hsmpub.client.outputs import write_whole
from hsmpub.client.signing import Work
from hsmpub.formats.sha256state import Sha256State
from hsmpub.model.statement import Annotations, Subject
from hsmpub.model.submission import MAX_FILES, HashState, HostileName

EMPTY = Sha256State.of(b"")
names = st.text("abcdefghij0123456789._-", min_size=1, max_size=200)


def work(name: str, folder: str = "", formats: tuple[str, ...] = ("sshsig",)) -> Work:
    return Work(Path(folder) / name, formats, EMPTY, HashState(name, "", "", 0))


sets = st.sampled_from([("sshsig",), ("deb",), ("openpgp", "sshsig", "dsse"), ("rpm", "openpgp", "cms", "timestamp")])


@given(st.lists(st.tuples(names, sets), max_size=600))
def test_no_batch_is_too_large_and_no_file_is_lost(files: list[tuple[str, tuple[str, ...]]]) -> None:
    works = [work(name, formats=formats) for name, formats in files]
    groups = list(batches(works))
    assert [one for group in groups for one in group] == works
    for group in groups:
        signatures = sum(len(one.formats) for one in group)
        assert signatures <= MAX_FILES
        assert len({one.path.name for one in group}) == len(group)
        own = {one.path.name: Annotations(one.formats) for one in group if len({w.formats for w in group}) > 1}
        subjects = [Subject(one.path.name, {"sha256": "00" * 32}, "", own.get(one.path.name)) for one in group]
        quoted = json.dumps(msgspec.json.encode(subjects).decode())
        assert len(quoted) + 67 * signatures < 60_000


def test_files_of_one_name_in_two_folders_go_in_two_batches() -> None:
    groups = list(batches([work("x", "a"), work("y", "a"), work("x", "b")]))
    assert [[str(one.path) for one in group] for group in groups] == [["a/x", "a/y"], ["b/x"]]


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden", "-rf", "x\x1b[2J", "a" * 300, "nul\0"])
def test_a_name_from_the_service_never_leaves_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(HostileName):
        write_whole(tmp_path, name, b"x")
    assert not list(tmp_path.iterdir())


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    write_whole(tmp_path, "x.asc", b"old")
    assert write_whole(tmp_path, "x.asc", b"new").read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["x.asc"]
