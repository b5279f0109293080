"""A backup: everything that a restore needs, taken without any quorum, since its keys are sealed to the recovery one.

A plain tar: files of the home, then `manifest.json` with the SHA-256 of each, then `manifest.sig`, the signature of the
keeper's identity. What opens anything is not in it: no token, no identity, no PIN but in its box.
"""

from __future__ import annotations

import hashlib
import io
import os
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ceremony.log_snapshot import fold_log, measure_log
from ceremony.manifest import LOG, MANIFEST, SIGNATURE, FileFacts, Manifest, manifest_message, quorum_facts
from ceremony.place import OutputExists, OutputNotWritten, sync_directory
from hsmpub.config import HomeMissing, load_config
from hsmpub.errors import Conflict, Invalid
from hsmpub.home import Home
from hsmpub.model.trust import Trust, load_trust
from hsmpub.scratch import scratch_folder
from hsmpub.shares.record_file import load_recovery_record, load_unseal_record
from hsmpub.tlog.note import load_verifier_key


class BackupNotAllowed(Invalid):
    advice = "Run it as the keeper's user: the manifest is signed with the keeper's identity."


class BackupDuringCeremony(Conflict):
    advice = "Wait for its end, or run 'hsmpub-ceremony resume'; then take the backup."


def make_backup(home: Home, out: Path, *, now: int, artifacts: bool = False) -> Manifest:
    """Writes the backup of a home, running or not, sealed or not.

    artifacts: the artifact store goes in as well.

    Raises:
        HomeMissing, ConfigMalformed: there is no service in the home.
        BackupDuringCeremony: log and records may be a step apart.
        BackupNotAllowed: the keeper's identity may not be read.
        OutputExists: `out` is there; it is left as it is.
        OutputNotWritten, LogUnavailable.
    """
    check_free(out)
    config, trust = load_config(home), _read_trust(home)
    if home.ceremony_journal.exists():
        raise BackupDuringCeremony("A ceremony is changing this home, or was interrupted.")
    identity = _identity(home)
    unseal = load_unseal_record(home.unseal_record.read_bytes())
    recovery = load_recovery_record(home.recovery_record.read_bytes())
    try:
        with scratch_folder(f".{out.name}.making-", out.parent) as folder:
            snapshot = folder / "log.sqlite"
            copy_log(home.log, snapshot)
            size, root = measure_log(snapshot, load_verifier_key(trust.log_key))
            partial = folder / "backup.tar"
            with tarfile.open(partial, "x:") as tar:
                files = {LOG: _add(tar, LOG, snapshot, now)}
                for path in _files(home, artifacts):
                    name = str(path.relative_to(home.root))
                    files[name] = _add(tar, name, path, now)
                state = fold_log(snapshot)
                assert state.policy is not None  # a log begins with both
                assert state.roster is not None
                manifest = Manifest(
                    backup="hsmpub backup v1",
                    service=trust.service,
                    at=now,
                    epoch=unseal.epoch,
                    log_size=size,
                    log_root=root.hex(),
                    policy_sha256=state.policy.sha256,
                    roster_sha256=state.roster.sha256,
                    unseal=quorum_facts(unseal),
                    recovery=quorum_facts(recovery),
                    keys=tuple(key.name for key in trust.keys),
                    vendor_backup=config.hsm.vendor_backup,
                    module="" if home.softhsm_conf.exists() else config.hsm.module,
                    token=config.hsm.token,
                    listen=config.front.listen,
                    files=files,
                )
                body = msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"
                _add_bytes(tar, MANIFEST, body, now)
                _add_bytes(tar, SIGNATURE, identity.sign(manifest_message(body)).hex().encode() + b"\n", now)
            _put(partial, out)
    except OSError as error:
        raise OutputNotWritten(f"The backup cannot be written: {error.strerror or error}.") from None
    return manifest


def check_free(out: Path) -> None:
    """Raises OutputExists."""
    if out.exists():
        raise OutputExists(f"{out} exists already.")


def copy_log(source: Path, target: Path) -> None:
    """A consistent copy of a log that may be written meanwhile, by SQLite's own backup. Raises OutputNotWritten."""
    live = f"{source.resolve().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(live, uri=True)) as source_db, closing(sqlite3.connect(target)) as copy:
            source_db.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.Error as error:
        raise OutputNotWritten(f"The log cannot be copied: {error}.") from None


def _read_trust(home: Home) -> Trust:
    try:
        return load_trust(home.trust.read_bytes())
    except FileNotFoundError:
        raise HomeMissing(f"There is no service in {home.root}.") from None


def _identity(home: Home) -> Ed25519PrivateKey:
    try:
        return Ed25519PrivateKey.from_private_bytes(home.identity_key.read_bytes())
    except PermissionError:
        raise BackupNotAllowed("The keeper's identity may not be read.") from None


def _files(home: Home, artifacts: bool) -> list[Path]:
    found = [home.trust, home.unseal_record, home.recovery_record]
    folders = [home.genesis, home.ceremonies, home.sealed_credentials, *sorted(home.root.glob("restore-*"))]
    for folder in [*folders, *([home.artifacts] if artifacts else [])]:
        found += sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return found


class _Hashing(io.RawIOBase):
    """Reads a file for the tar and hashes it on the way."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self.hash = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.hash.update(data)
        return data

    def close(self) -> None:
        self._file.close()
        super().close()


def _add(tar: tarfile.TarFile, name: str, path: Path, now: int) -> FileFacts:
    info = _info(name, path.stat().st_size, now)
    with closing(_Hashing(path)) as file:
        tar.addfile(info, file)
        return FileFacts(file.hash.hexdigest(), info.size)


def _add_bytes(tar: tarfile.TarFile, name: str, data: bytes, now: int) -> None:
    tar.addfile(_info(name, len(data), now), io.BytesIO(data))


def _info(name: str, size: int, now: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode = size, now, 0o600
    return info


def _put(partial: Path, out: Path) -> None:
    fd = os.open(partial, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
    try:
        os.link(partial, out)  # unlike a rename, never over a file that is there
    except FileExistsError:
        raise OutputExists(f"{out} exists already.") from None
    sync_directory(out.parent)
