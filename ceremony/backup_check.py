"""Checks a backup against the pinned keys, and opens it file by file. Nothing in a tar is believed before."""

from __future__ import annotations

import hashlib
import re
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidSignature

from ceremony.backup import LOG, MANIFEST, SIGNATURE, FileFacts, Manifest, manifest_message
from ceremony.log_snapshot import measure_log
from hsmpub.errors import Broken, Forbidden, Invalid, NotFound
from hsmpub.model.trust import Trust
from hsmpub.tlog.checkpoint import Checkpoint
from hsmpub.tlog.note import load_verifier_key
from hsmpub.transcript.check import check_hex_signature, keeper_public

_NAME = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9._+-]{0,199}/){0,4}[A-Za-z0-9][A-Za-z0-9._+-]{0,199}")
_MAX_MANIFEST = 64 << 20
_CHUNK = 1 << 20


class BackupMissing(NotFound):
    advice = "Check the path."


class BackupMalformed(Invalid):
    advice = "Give a file that 'hsmpub-ceremony backup' wrote."


class BackupAltered(Broken):
    advice = "Take another copy of the backup: this one was altered or damaged."


class BackupUntrusted(Forbidden):
    advice = "It is the backup of another service, or the pins are: compare trust.json with another participant's."


@dataclass(frozen=True)
class Backup:
    """A checked backup, unpacked below `root`, which goes away with `open_backup`."""

    manifest: Manifest
    root: Path

    def read(self, name: str) -> bytes:
        """Raises BackupMalformed: no such file in it."""
        if name not in self.manifest.files:
            raise BackupMalformed(f"The backup holds no {name}.")
        return (self.root / name).read_bytes()


@contextmanager
def open_backup(
    path: Path, trust: Trust, *, known: Checkpoint | None = None, folder: Path | None = None
) -> Iterator[Backup]:
    """Unpacks a backup whose manifest the pinned keeper signed, and whose every byte the manifest names.

    Args:
        known: a checkpoint from elsewhere that the log must continue.
        folder: where to unpack to; the system's temporary folder if None.

    Raises:
        BackupMissing, BackupMalformed, BackupAltered, BackupUntrusted.
        LogCopyAltered, BackupStale: of the log in it.
    """
    with tempfile.TemporaryDirectory(prefix="hsmpub-backup-", dir=folder) as root:
        try:
            with tarfile.open(path, "r:") as tar:
                manifest = _check_manifest(tar, trust)
                for name, facts in manifest.files.items():
                    _unpack(tar, name, facts, Path(root) / name)
        except FileNotFoundError:
            raise BackupMissing(f"There is no file {path}.") from None
        except (tarfile.TarError, EOFError, UnicodeDecodeError):
            raise BackupMalformed(f"{path} is not a whole tar file.") from None
        measured = measure_log(Path(root) / LOG, load_verifier_key(trust.log_key), known)
        if measured != (manifest.log_size, bytes.fromhex(manifest.log_root)):
            raise BackupAltered("The log in the backup is not the one that its manifest names.")
        yield Backup(manifest, Path(root))


def _check_manifest(tar: tarfile.TarFile, trust: Trust) -> Manifest:
    members = tar.getmembers()
    names = [member.name for member in members]
    if len(set(names)) != len(names) or not all(_NAME.fullmatch(name) for name in names):
        raise BackupMalformed("The backup names a file twice, or not plainly.")
    if not all(member.isreg() for member in members) or names[-2:] != [MANIFEST, SIGNATURE]:
        raise BackupMalformed("The backup holds something else than files, or does not end with its manifest.")
    body, signature = (_small(tar, member) for member in members[-2:])
    try:
        check_hex_signature(keeper_public(trust), signature.decode("ascii").removesuffix("\n"), manifest_message(body))
    except (InvalidSignature, ValueError):
        raise BackupUntrusted("The backup's manifest is not signed by the pinned keeper.") from None
    try:
        manifest = msgspec.json.decode(body, type=Manifest)
    except msgspec.MsgspecError:
        raise BackupMalformed("The backup's manifest is of another version.") from None
    if manifest.service != trust.service:
        raise BackupUntrusted(f"The backup is of the service {manifest.service[:80]!r}.")
    if set(manifest.files) != set(names[:-2]) or LOG not in manifest.files:
        raise BackupAltered("The backup does not hold exactly the files that its manifest names.")
    return manifest


def _small(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    if file is None or member.size > _MAX_MANIFEST:
        raise BackupMalformed("The backup's manifest is too large.")
    return file.read()


def _unpack(tar: tarfile.TarFile, name: str, facts: FileFacts, target: Path) -> None:
    source = tar.extractfile(name)
    assert source is not None  # a regular file, checked before
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with target.open("xb") as file:
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
            file.write(chunk)
        size = file.tell()
    if (digest.hexdigest(), size) != (facts.sha256, facts.size):
        raise BackupAltered(f"{name} in the backup is not what its manifest names.")


def copy_into(backup: Backup, home: Path) -> None:
    """Copies the files that a restore keeps as they are, below `home`: all but the log and the keeper's records."""
    for name in backup.manifest.files:
        if name != LOG and not re.fullmatch(r"keeper/[^/]+", name):
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(backup.root / name, home / name)
