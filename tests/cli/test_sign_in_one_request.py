"""`hsmpub sign` over files of many kinds asks once."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from command import Command
from running import Running

from hsmpub.model.submission import AskSign, load_ci_submission
from hsmpub.wire import messages as m
from tests.formats.samples import SAMPLES

TOKEN = f"{sys.executable} -c 'print(\"a.b.c\")'"
KINDS = {"x.deb": "deb", "x.rpm": "rpm", "x.exe": "authenticode"}


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    for name, form in KINDS.items():
        (tmp_path / name).write_bytes(SAMPLES[form])
    (tmp_path / "y.deb").write_bytes(SAMPLES["deb"][:300])
    return sorted(tmp_path.iterdir())


@pytest.mark.parametrize("send", [False, True])
def test_many_kinds_of_files_are_one_request_and_one_that_cannot_be_read_fails_alone(
    hsmpub: Command, service: Running, files: list[Path], send: bool
) -> None:
    before = len(service.keeper.seen)
    words = ("sign", *files, "--project", "p", "--token-command", TOKEN, *(["--upload"] if send else []))
    assert "Nothing was signed, for 1 of " in hsmpub(*words).err
    assert not any(isinstance(one, m.Submit) for one in service.keeper.seen[before:])
    said = hsmpub(*words, "--keep-going")
    [asked] = [load_ci_submission(one.body) for one in service.keeper.seen[before:] if isinstance(one, m.Submit)]
    assert isinstance(asked, AskSign)
    assert {one.name: one.formats for one in asked.everything} == {name: (form,) for name, form in KINDS.items()}
    assert set(asked.formats) == set(KINDS.values())
    assert "y.deb: The package is cut short." in said.err
    # the fake keeper's signatures are by no key of the pins, and are looked at file by file
    assert said.err.count("The pins do not name the key") == 1
    assert all(str(path) in said.err for path in files)


@pytest.mark.parametrize("way", [".", "elsewhere/.."])
def test_of_two_signatures_of_one_name_the_second_is_not_asked_for(
    hsmpub: Command, service: Running, tmp_path: Path, way: str
) -> None:
    files = [tmp_path / "x", tmp_path / way / "x.v6", tmp_path / "elsewhere" / "x.v6"]
    files[2].parent.mkdir()
    for file in files:
        file.write_text("text")
    before = len(service.keeper.seen)
    said = hsmpub("sign", *files, "--project", "p", "--format", "openpgp", "--format", "openpgp-v6",
                  "--token-command", TOKEN, "--keep-going")  # fmt: skip
    [asked] = [load_ci_submission(one.body) for one in service.keeper.seen[before:] if isinstance(one, m.Submit)]
    assert isinstance(asked, AskSign)
    assert [one.name for one in asked.everything] == ["x", "x.v6"]
    assert f"{files[1]}: 'x.v6.asc' would be a signature of 'x' and a signature of 'x.v6'." in said.err
    assert f"{files[2]}: 'x.v6.asc'" not in said.err


def test_files_of_no_kind_take_what_is_said_for_them(hsmpub: Command, service: Running, tmp_path: Path) -> None:
    package, wheel = tmp_path / "x.deb", tmp_path / "x.whl"
    package.write_bytes(SAMPLES["deb"])
    wheel.write_bytes(b"PK\x03\x04 a wheel")
    words = ("sign", package, wheel, "--project", "p", "--token-command", TOKEN)
    before = len(service.keeper.seen)
    hsmpub(*words, "--otherwise", "sshsig", "--otherwise", "openpgp")
    [asked] = [load_ci_submission(one.body) for one in service.keeper.seen[before:] if isinstance(one, m.Submit)]
    assert isinstance(asked, AskSign)
    assert {one.name: one.formats for one in asked.everything} == {"x.deb": ("deb",), "x.whl": ("sshsig", "openpgp")}
    said = hsmpub(*words)
    assert f"{wheel}: No format is made for files of this kind. Say which signature to put beside it" in said.err
