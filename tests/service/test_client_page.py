"""The programs of docs/client.md, run as they stand there, against a real service."""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path

import pytest

from deploy.demo.world import World
from tests.service.hands import approve, at_the_keeper, client_of, eventually
from tests.service.jobs import NIGHTLY

PAGE = Path(__file__).parents[2] / "docs" / "client.md"
PROGRAMS = [
    (section.partition("\n")[0], block)
    for section in PAGE.read_text().split("\n## ")[1:]
    for block in re.findall(r"^```python\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
]


def program(title: str) -> str:
    return dict(PROGRAMS)[title]


def test_every_program_of_the_page_is_run_here() -> None:
    assert [title for title, _ in PROGRAMS] == [
        "Sign files that need no approval", "A release", "With an event loop", "Refusals",
        "Other languages, generated clients",
    ]  # fmt: skip
    assert PAGE.read_text().count("```python") == len(PROGRAMS)


@pytest.fixture
def folder(service: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    assert service.service is not None
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HSMPUB_URL", service.service.url)
    monkeypatch.setenv("HSMPUB_TRUST", str(service.trust))
    (tmp_path / "site.tar").write_bytes(b"a site")
    (tmp_path / "notes.txt").write_bytes(b"notes")
    return tmp_path


def as_job(service: World, monkeypatch: pytest.MonkeyPatch, **claims: str) -> None:
    for name, value in service.ci(**claims).items():
        monkeypatch.setenv(name, value)


def test_routine_signatures(
    service: World, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    as_job(service, monkeypatch, **NIGHTLY)
    exec(program("Sign files that need no approval"), {})
    assert capsys.readouterr().out == ""
    said = service.hsmpub("verify", folder / "site.tar.receipt.json", folder / "site.tar", folder / "site.tar.sig")
    assert "site.tar" in said
    exec(program("With an event loop"), {})
    exec(program("Refusals"), {})
    exec(program("Other languages, generated clients"), {})
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "2 unsealed"
    assert told[1].startswith("no-such-request ")
    assert told[2] == "sshsig"


def test_a_release(
    service: World, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    as_job(service, monkeypatch, repository="example/notes")
    (folder / "dist").mkdir()
    (folder / "dist" / "notes.whl").write_bytes(os.urandom(8))
    (folder / "signatures").mkdir()
    failed: list[BaseException] = []

    def run() -> None:
        try:
            exec(program("A release"), {})
        except BaseException as e:
            failed.append(e)

    job = threading.Thread(target=run)
    job.start()
    with client_of(service, **NIGHTLY) as client:

        def waiting() -> list[str]:
            return [one.request for one in client.requests() if one.version == "2.1" and one.project == "notes"]

        eventually(lambda: bool(waiting()) or bool(failed), "nothing was asked for")
        assert not failed
        view = client.request(waiting()[0])
    at_the_keeper(service, lambda front: approve(service, front, view, (service.people.manager,)))
    job.join(60)
    assert not failed
    assert {path.name for path in (folder / "signatures").iterdir()} == {"notes.whl.asc", "notes-2.1.receipt.json"}
