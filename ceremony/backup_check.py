"""Checks a backup against the pinned keys, and opens it file by file. Nothing in a tar is believed before."""

from __future__ import annotations

import re
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ceremony.backup_tar import BackupAltered, BackupMalformed, BackupOfNewerVersion, check_manifest, unpack
from ceremony.log_snapshot import fold_log, measure_frontier
from ceremony.manifest import LOG, Manifest, quorum_facts
from ceremony.place import OutputNotWritten
from hsmpub.errors import NotFound
from hsmpub.model.entry import EntryMalformed
from hsmpub.model.fold import ServiceState
from hsmpub.model.trust import Trust
from hsmpub.scratch import scratch_folder
from hsmpub.shares.record_file import load_recovery_record, load_unseal_record
from hsmpub.tlog.checkpoint import Checkpoint
from hsmpub.tlog.note import load_verifier_key
from hsmpub.tlog.tile import Frontier


class BackupMissing(NotFound):
    advice = "Check the path."


@dataclass(frozen=True)
class Backup:
    """A checked backup, unpacked below `root`, which goes away with `open_backup`.

    state: what the whole log says; frontier: of that log, to go on from.
    """

    manifest: Manifest
    root: Path
    state: ServiceState
    frontier: Frontier

    def read(self, name: str) -> bytes:
        """Raises BackupMalformed: no such file in it."""
        if name not in self.manifest.files:
            raise BackupMalformed(f"The backup holds no {name}.")
        return (self.root / name).read_bytes()


@contextmanager
def open_backup(
    path: Path, trust: Trust, *, known: Checkpoint | None = None, folder: Path | None = None,
) -> Iterator[Backup]:  # fmt: skip
    """Unpacks a backup whose manifest the pinned keeper signed, and whose every byte the manifest names.

    Args:
        known: a checkpoint from elsewhere; the log may be shorter, but not another one.
        folder: where to unpack to; the system's temporary folder if None.

    Raises:
        BackupMissing, BackupMalformed, BackupAltered, BackupUntrusted, BackupOfNewerVersion.
        OutputNotWritten: there is no room to unpack it.
        LogCopyAltered, LogForked: of the log in it.
    """
    with scratch_folder("hsmpub-backup-", folder) as root:
        try:
            with tarfile.open(path, "r:") as tar:
                manifest = check_manifest(tar, trust)
                for name, facts in manifest.files.items():
                    unpack(tar, name, facts, root / name)
        except FileNotFoundError:
            raise BackupMissing(f"There is no file {path}.") from None
        except (IsADirectoryError, PermissionError) as error:
            raise BackupMissing(f"{path} cannot be read: {error.strerror}.") from None
        except OSError as error:
            raise OutputNotWritten(f"The backup cannot be unpacked in {root}: {error.strerror or error}.") from None
        except (tarfile.TarError, EOFError, UnicodeDecodeError):
            raise BackupMalformed(f"{path} is not a whole tar file.") from None
        frontier = measure_frontier(root / LOG, load_verifier_key(trust.log_key), known)
        if (frontier.size, frontier.root().hex()) != (manifest.log_size, manifest.log_root):
            raise BackupAltered("The log in the backup is not the one that its manifest names.")
        backup = Backup(manifest, root, _fold(root / LOG), frontier)
        _check_whole(backup)
        yield backup


def _fold(db: Path) -> ServiceState:
    """The log is the signed one, so what this version cannot read was written by a newer one."""
    try:
        return fold_log(db)
    except EntryMalformed as error:
        raise BackupOfNewerVersion(f"The log in the backup has entries of a newer version: {error.detail}") from None


def _check_whole(backup: Backup) -> None:
    """What the manifest says is what log and records say; otherwise the files are of different days."""
    manifest, state = backup.manifest, backup.state
    unseal = load_unseal_record(backup.read("keeper/unseal.json"))
    recovery = load_recovery_record(backup.read("keeper/recovery.json"))
    said = (manifest.policy_sha256, manifest.roster_sha256, manifest.epoch, manifest.unseal, manifest.recovery)
    found = (
        state.policy.sha256 if state.policy else "", state.roster.sha256 if state.roster else "", state.epoch,
        quorum_facts(unseal), quorum_facts(recovery),
    )  # fmt: skip
    if said != found or manifest.epoch != unseal.epoch:
        raise BackupAltered("Log, records and manifest of the backup do not tell the same.")


def copy_into(backup: Backup, home: Path) -> None:
    """Copies the files that a restore keeps as they are, below `home`: all but the log and the keeper's records."""
    for name in backup.manifest.files:
        if name != LOG and not re.fullmatch(r"keeper/[^/]+", name):
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(backup.root / name, home / name)
