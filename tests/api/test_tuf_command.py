"""`hsmpub tuf` from the first root to the refresh, over HTTP, with a real keeper: what is shown, what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from real_keeper import Place, pins, real, served_log
from tuf.api.metadata import Metadata, Targets

from hsmpub.cli import options
from hsmpub.client.client import Client
from hsmpub.client.tuf.settings import SignedBy
from hsmpub.client.tuf.signer import Asking, HsmpubSigner
from hsmpub.model.trust import dump_trust
from tests.cli.command import Command, Said
from tests.client.tuf_world import CONTENT, SETTINGS, fetch, served
from tests.service.jobs import AUDIENCE

PROJECTS = """
[project.tuf-root-1]
requesters = [{ issuer = "ci", repository = "example/tuf" }]
sign = [{ key = "root-1", formats = ["tuf-root"] }]
approvals = [{ group = "managers", count = 1 }]
[project.tuf-root-2]
requesters = [{ issuer = "ci", repository = "example/tuf" }]
sign = [{ key = "root-2", formats = ["tuf-root"] }]
approvals = [{ group = "security", count = 1 }]
[project.tuf-targets]
requesters = [{ issuer = "ci", repository = "example/tuf" }]
sign = [{ key = "targets", formats = ["tuf-targets"] }]
approvals = []
[project.tuf-online]
requesters = [{ issuer = "ci", repository = "example/tuf" }]
sign = [{ key = "online", formats = ["tuf-snapshot", "tuf-timestamp"] }]
approvals = []
tuf_longest = "7d"
"""
KEYS = {
    "root-1": (ec.derive_private_key(5001, ec.SECP256R1()), "p256", ("tuf-root",)),
    "root-2": (Ed25519PrivateKey.from_private_bytes(b"2" * 32), "ed25519", ("tuf-root",)),
    "targets": (ec.derive_private_key(5002, ec.SECP256R1()), "p256", ("tuf-targets",)),
    "online": (Ed25519PrivateKey.from_private_bytes(b"o" * 32), "ed25519", ("tuf-snapshot", "tuf-timestamp")),
}


class _Tokens:
    def __init__(self, place: Place) -> None:
        self._issuer = place[1].issuer

    def token(self, audience: str) -> str:
        return self._issuer.token(audience, repository="example/tuf", ref="refs/heads/main")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with real(tmp_path_factory.mktemp("keeper"), KEYS, PROJECTS) as (front, made):
        front.home.artifacts.rmdir()  # one store of artifacts and one log for both
        front.home.artifacts.symlink_to(made.folder / "artifacts")
        with served_log((front, made)):
            yield front, made


@pytest.fixture
def hsmpub(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    front, made = place
    (tmp_path / "trust.json").write_bytes(dump_trust(pins(made)))
    monkeypatch.setattr(options, "token_source", lambda *_: _Tokens(place))
    env = {"HSMPUB_AUDIENCE": AUDIENCE, "HSMPUB_URL": front.url, "HSMPUB_TRUST": str(tmp_path / "trust.json")}
    return Command(monkeypatch, capsys, env)


def _approve(place: Place, *people: str) -> None:
    front, made = place

    async def approve() -> None:
        for request in made.keeper.book.state.open_requests():
            view = await made.see(_Named(request.id))  # type: ignore[arg-type]
            for person in people:
                if _GROUPS[person] in view.missing:
                    await made.approve(view, person)
        await made.settle()

    front.do(approve())


class _Named:
    def __init__(self, request: str) -> None:
        self.request = request


_GROUPS = {"release-manager": "managers", "security-officer": "security"}


def test_from_the_first_root_to_the_refresh(place: Place, hsmpub: Command, tmp_path: Path) -> None:
    folder = tmp_path / "tuf"
    folder.mkdir()
    (folder / "tuf.toml").write_text(SETTINGS)
    begun = hsmpub("tuf", "init", folder)
    assert begun.status == 4, begun.err
    assert begun.out.count("1.root.signed.json waits: request") == 2
    _shows_approvers_everything(place, hsmpub)
    _approve(place, "release-manager")
    assert "not signed by enough keys yet" in hsmpub("tuf", "publish", folder).out
    _approve(place, "security-officer")
    done(hsmpub("tuf", "publish", folder))
    (tmp_path / "x.whl").write_bytes(CONTENT)
    done(hsmpub("tuf", "targets", folder, tmp_path / "x.whl"))
    assert {path.name for path in (folder / "receipts").iterdir()} >= {
        "1.root.signed.json.root-1.receipt.json", "2.targets.signed.json.targets.receipt.json",
    }  # fmt: skip
    payload = folder / "receipts" / "1.root.signed.json"
    done(hsmpub("verify", payload.with_name("1.root.signed.json.root-1.receipt.json"), payload))
    with served(folder) as url:
        assert fetch(url, tmp_path / "home", (folder / "metadata" / "1.root.json").read_bytes()) == CONTENT
        _refreshes(hsmpub, folder)
        assert fetch(url, tmp_path / "home", (folder / "metadata" / "1.root.json").read_bytes()) == CONTENT
    _knows_a_rollback(hsmpub, folder)


def done(said: Said) -> None:
    assert said.status == 0, said.err


def _shows_approvers_everything(place: Place, hsmpub: Command) -> None:
    _, made = place
    [first, _] = made.keeper.book.state.open_requests()
    shown = hsmpub("release", "show", first.id).out
    assert "TUF root metadata, version 1, expires" in shown
    assert "  | role root: 2 of 2 keys" in shown
    for name in KEYS:
        assert f"{name!r} of this service" in shown


def _refreshes(hsmpub: Command, folder: Path) -> None:
    standing = hsmpub("tuf", "status", folder)
    assert (standing.status, standing.out.count("expires in"), "x.whl  33 bytes" in standing.out) == (0, 4, True)
    quiet = hsmpub("tuf", "refresh", folder)
    assert (quiet.status, quiet.out) == (0, "")
    done(hsmpub("tuf", "refresh", folder, "--within", 24 * 6.9))
    assert json.loads((folder / "metadata" / "timestamp.json").read_bytes())["signed"]["version"] == 3


def _knows_a_rollback(hsmpub: Command, folder: Path) -> None:
    """The folder comes back from an old copy: the key has signed these versions, over something else."""
    for name in ("3.snapshot.json", "2.snapshot.json", "timestamp.json"):
        (folder / "metadata" / name).unlink(missing_ok=True)
    refused = hsmpub("tuf", "refresh", folder)
    assert refused.status == 1
    assert "The key 'online' signed" in refused.err
    done(hsmpub("tuf", "refresh", folder, "--past", 90))
    # the snapshot, too, unless it was made anew within the second of the first one: then it is the same
    assert json.loads((folder / "metadata" / "timestamp.json").read_bytes())["signed"]["version"] == 91


def test_programs_of_python_tuf_sign_with_the_service(place: Place, tmp_path: Path) -> None:
    front, made = place

    def connect() -> Client:
        client = Client(front.url, pins(made))
        client.open_session(_Tokens(place), AUDIENCE)
        return client

    kept: dict[str, bytes] = {}
    with Asking(connect, pins(made), kept.__setitem__) as asking:
        signer = HsmpubSigner(asking, SignedBy(key="targets", project="tuf-targets"))
        expires = datetime.now(UTC).replace(microsecond=0) + timedelta(days=9)
        metadata = Metadata(Targets(version=900, expires=expires))
        metadata.sign(signer)
        signer.public_key.verify_signature(metadata.signatures[signer.public_key.keyid], metadata.signed_bytes)
    assert list(kept) == ["900.targets.signed.json.targets.receipt.json"]


def test_without_python_tuf_says_what_to_install(hsmpub: Command, tmp_path: Path,
                                                 monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setattr("hsmpub.cli.tuf.find_spec", lambda _: None)
    said = hsmpub("tuf", "status", tmp_path)
    assert said.status == 1
    assert "hsmpub[tuf]" in said.err
    assert not list(tmp_path.glob("metadata"))
