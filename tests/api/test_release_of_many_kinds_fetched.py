"""`hsmpub sign` and `hsmpub release fetch` where the policy says formats by file: a real keeper behind a real front."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from real_keeper import Place, pins, real, served_log

from hsmpub.artifact.source import PathSource
from hsmpub.cli import options
from hsmpub.formats.registry import get_format
from hsmpub.model.trust import dump_trust
from hsmpub.wire import messages as m
from tests.cli.command import Command
from tests.courier.releases import wheel
from tests.formats.samples import SAMPLES
from tests.service.jobs import AUDIENCE, release, store

PRIVATE = {name: ec.derive_private_key(n, ec.SECP256R1()) for n, name in enumerate(("debian", "plain", "night"), 77)}
KEYS = {"debian": ("deb",), "plain": ("sshsig",), "night": ("sshsig", "dsse")}
PROJECTS = """
[project.app]
requesters = [{ issuer = "ci", repository = "example/app", ref = "refs/tags/*" }]
sign = [{ key = "debian", formats = ["deb"], files = ["*.deb"] }, { key = "plain", formats = ["sshsig"], files = ["*.whl"] }]
approvals = [{ group = "managers", count = 1 }]
[project.night]
requesters = [{ issuer = "ci", repository = "example/app", ref = "refs/heads/main" }]
sign = [{ key = "night", formats = ["sshsig"], files = ["*.whl"] }, { key = "night", formats = ["dsse"], files = ["*.txt"] }]
approvals = []
"""  # noqa: E501 - entries of a policy stand in one line
WHEEL, CONTENT = wheel("app", "1.0")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    keys = {name: (key, "p256", KEYS[name]) for name, key in PRIVATE.items()}
    with real(tmp_path_factory.mktemp("keeper"), keys, PROJECTS) as made, served_log(made):
        yield made


@pytest.fixture
def job(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    class Tokens:
        def token(self, audience: str) -> str:
            return place[1].issuer.token(audience, repository="example/app", ref="refs/heads/main")

    monkeypatch.setattr(options, "token_source", lambda *_: Tokens())
    (tmp_path / "trust.json").write_bytes(dump_trust(pins(place[1])))
    settings = {"HSMPUB_URL": place[0].url, "HSMPUB_TRUST": str(tmp_path / "trust.json"), "HSMPUB_AUDIENCE": AUDIENCE}
    return Command(monkeypatch, capsys, settings)


@pytest.fixture(scope="module")
def request_id(place: Place) -> str:
    """A release of a package and a wheel, approved and carried out."""
    front, kept = place
    files = (store(kept.folder, "app.deb", SAMPLES["deb"]), store(kept.folder, WHEEL, CONTENT))

    async def scenario() -> str:
        asking = await kept.job(repository="example/app", ref="refs/tags/1.0")
        view = await asking.ask(release("1.0", *files, project="app"))
        assert isinstance(view, m.RequestView)
        await kept.approve(view, "release-manager")
        await kept.settle()
        return view.request

    return str(front.do(scenario()))


def test_what_is_signed_inside_is_written_signed_and_the_rest_beside(
    job: Command, request_id: str, tmp_path: Path
) -> None:
    package, into = tmp_path / "app.deb", tmp_path / "signed"
    package.write_bytes(SAMPLES["deb"])
    (tmp_path / WHEEL).write_bytes(CONTENT)
    said = job("release", "fetch", request_id, package, tmp_path / WHEEL, "--to", into)
    assert (said.status, said.err) == (0, "")
    assert {path.name for path in into.iterdir()} == {
        "app-1.0.receipt.json", "app.deb", "app.deb.gpgorigin", f"{WHEEL}.sig",
    }  # fmt: skip
    assert package.read_bytes() == SAMPLES["deb"]
    assert get_format("deb").detach(PathSource(into / "app.deb")) == (into / "app.deb.gpgorigin").read_bytes()
    checked = job("verify", into / "app-1.0.receipt.json", into / "app.deb", tmp_path / WHEEL, into / f"{WHEEL}.sig")
    assert checked.status == 0, checked.err


def test_a_run_writes_what_is_signed_inside_to_another_folder_and_nothing_over_the_files(
    job: Command, request_id: str, tmp_path: Path
) -> None:
    package, into = tmp_path / "app.deb", tmp_path / "signed"
    package.write_bytes(SAMPLES["deb"])
    said = job("release", "run", "--request", request_id, package, "--to", into)
    assert (said.status, said.err) == (0, "")
    assert get_format("deb").detach(PathSource(into / "app.deb")) == (into / "app.deb.gpgorigin").read_bytes()
    for words in ((package, "--to", tmp_path), ("--to", tmp_path)):
        said = job("release", "run", "--request", request_id, *words)
        assert said.status == 0, said.err
        assert package.read_bytes() == SAMPLES["deb"]
        assert "Signed inside, and not written here: app.deb." in said.err
        assert f"'hsmpub release fetch {request_id} FILE… --to FOLDER'" in said.err


def test_refuses_a_file_that_is_none_of_the_release(job: Command, request_id: str, tmp_path: Path) -> None:
    for name, content in (("other.deb", SAMPLES["deb"]), ("app.deb", b"another")):
        (tmp_path / name).write_bytes(content)
        said = job("release", "fetch", request_id, tmp_path / name, "--to", tmp_path / "into")
        assert said.status == 1
        assert "Name files of this release, as they were uploaded for it." in said.err
        assert list((tmp_path / "into").iterdir()) == []


def test_sign_names_the_file_that_a_format_is_not_for_and_signs_the_others(job: Command, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.whl", "b.txt", "c.txt")]
    for file in files:
        file.write_text("text")
    said = job("sign", *files, "--project", "night", "--format", "sshsig")
    assert said.status == 1
    assert f"{files[1]}: The policy has 'sshsig' made of *.whl, not of 'b.txt'. Ask for the formats" in said.err
    assert f"Not signed: {files[1]}, {files[2]}." in said.err
    assert {path.name for path in tmp_path.iterdir()} >= {"a.whl.sig", "a.whl.receipt.json"}
    assert not (tmp_path / "b.txt.sig").exists()
