"""A TUF repository whose keys are in software: everything but the way to the service is the real thing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
from tuf.ngclient import Updater, UpdaterConfig

from hsmpub.client.tuf.folder import Folder
from hsmpub.client.tuf.repository import Repository
from hsmpub.client.tuf.settings import SignedBy, read_settings
from hsmpub.client.tuf.signer import TufWaitsForApproval
from hsmpub.formats.registry import FORMATS
from hsmpub.formats.tuf.metadata import Role
from hsmpub.model.key import KeyKind, KeyRecord
from tests.formats.software_hsm import CONTEXT, artifact_of, key_record, sign_all

SETTINGS = """
[root]
signers = [{ key = "root-1", project = "tuf-root-1" }, { key = "root-2", project = "tuf-root-2" }]
threshold = 2
valid = "365d"
renew = "60d"

[targets]
signers = [{ key = "targets", project = "tuf-targets" }]
valid = "90d"
renew = "20d"

[snapshot]
signers = [{ key = "online", project = "tuf-online" }]
valid = "7d"
renew = "3d"

[timestamp]
signers = [{ key = "online", project = "tuf-online" }]
valid = "2d"
renew = "12h"
"""
#: name → kind and number of the software key
KEYS: dict[str, tuple[KeyKind, int]] = {
    "root-1": ("p256", 0),
    "root-2": ("ed25519", 0),
    "root-3": ("p256", 1),
    "targets": ("p256", 2),
    "online": ("ed25519", 1),
    "online-2": ("p256", 3),
}
TUF = ("tuf-root", "tuf-targets", "tuf-snapshot", "tuf-timestamp")
CONTENT = b"A release.\n" * 3


class SoftAsking:
    """Signs as the service does; asked: who was asked for what; waiting: keys whose approvals are not there yet."""

    def __init__(self, now: datetime, keys: dict[str, tuple[KeyKind, int]]) -> None:
        self.now, self.keys = now, keys
        self.asked: list[tuple[str, str]] = []
        self.waiting: set[str] = set()

    def key(self, name: str) -> KeyRecord:
        kind, number = self.keys[name]
        return msgspec.structs.replace(key_record(kind, *TUF, number=number), name=name)

    def signature(self, role: Role, path: Path, by: SignedBy) -> bytes:
        self.asked.append((path.name, by.key))
        if by.key in self.waiting:
            raise TufWaitsForApproval(f"{by.key} waits")
        form, data = FORMATS[f"tuf-{role}"], path.read_bytes()
        context = msgspec.structs.replace(CONTEXT, at=int(self.now.timestamp()))
        prepared = form.prepare(artifact_of(data, path.name, form), self.key(by.key), context)
        return form.assemble(*sign_all(form, prepared, self.keys[by.key][1]))


class Tuf:
    """A folder, its commands, and a clock. told: what the commands said."""

    def __init__(
        self, root: Path, now: datetime | None = None, settings: str = SETTINGS, kind: KeyKind | None = None
    ) -> None:
        """kind: of every key; None: as KEYS says."""
        root.mkdir(exist_ok=True)
        self.root, self.now = root, now or datetime.now(UTC)
        self.write(settings)
        self.told: list[str] = []
        keys = {name: (kind, number) for number, name in enumerate(KEYS)} if kind else KEYS
        self.asking = SoftAsking(self.now, keys)

    def write(self, settings: str) -> None:
        (self.root / "tuf.toml").write_text(settings)

    @contextmanager
    def opened(self, **later: float) -> Iterator[Repository]:
        self.now += timedelta(**later)
        self.asking.now = self.now
        folder = Folder(self.root)
        with folder.locked():
            yield Repository(folder, read_settings(self.root), self.asking, self.now, self.told.append)

    def begun(self) -> Tuf:
        """With one target, all published."""
        (self.root / "x.whl").write_bytes(CONTENT)
        with self.opened() as repository:
            repository.begin()
            assert repository.publish()
            repository.change_targets([self.root / "x.whl"], ())
            assert repository.publish()
        return self

    def refresh(self, **later: float) -> list[str]:
        """What was signed."""
        before = len(self.asking.asked)
        with self.opened(**later) as repository:
            repository.refresh()
        return [name for name, _ in self.asking.asked[before:]]

    def at(self, name: str) -> Path:
        return self.root / "metadata" / name


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served(root: Path) -> Iterator[str]:
    """The folder on loopback."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(root)))
    thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.01))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def fetch(url: str, home: Path, root: bytes) -> bytes:
    """What python-tuf's client gets. home: what it remembers between two runs."""
    home.mkdir(exist_ok=True)
    client = Updater(str(home), f"{url}/metadata/", str(home), f"{url}/targets/", bootstrap=root,
                     config=UpdaterConfig())  # fmt: skip
    client.refresh()
    found = client.get_targetinfo("x.whl")
    assert found is not None
    (home / "x.whl").unlink(missing_ok=True)
    return Path(client.download_target(found)).read_bytes()
