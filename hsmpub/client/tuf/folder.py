"""The repository's folder: `metadata/` and `targets/` are served to clients, `staged/` waits for signatures,
`receipts/` proves them. Every file is written whole or not at all, and is on the disk before the next one is begun.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root
from tuf.api.serialization import DeserializationError

from hsmpub.client.outputs import write_whole
from hsmpub.errors import Broken, Conflict, NotFound
from hsmpub.formats.tuf.metadata import ROLES, Role

_STAGED = re.compile(r"([0-9]{1,10})\.(root|targets|snapshot|timestamp)\.signed\.json")


class TufFolderInUse(Conflict):
    advice = "Let the other 'hsmpub tuf' end first."
    retry_is_safe = True


class TufMetadataUnreadable(Broken):
    advice = "Restore the file from what is published; nothing was changed."


class TufRoleMissing(NotFound):
    advice = "Begin with 'hsmpub tuf init', and have what waits signed: 'hsmpub tuf publish'."


class TufDoesNotVerify(Broken):
    advice = "If keys changed, 'hsmpub tuf root' comes first; otherwise restore the folder from what is published."


class Staged(msgspec.Struct, frozen=True):
    """Metadata that waits for signatures. path: of its payload, the exact bytes that are signed."""

    role: Role
    version: int
    path: Path
    payload: bytes


class Folder:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.metadata, self.targets, self.staging, self.receipts = (
            root / name for name in ("metadata", "targets", "staged", "receipts")
        )

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One command at a time; the folders are there. Raises TufFolderInUse, TufMetadataUnreadable."""
        for folder in (self.metadata, self.targets, self.staging, self.receipts):
            folder.mkdir(exist_ok=True)
        fd = os.open(self.root / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise TufFolderInUse(f"Another command works in {self.root}.") from None
            self._drop_published()
            yield
        finally:
            os.close(fd)

    # --- what is published ---

    def latest(self, role: Role) -> Metadata[Any] | None:
        """The newest metadata of a role, not verified. Raises TufMetadataUnreadable."""
        names = self._names(role)
        if not names:
            return None
        try:
            found = Metadata[Any].from_file(str(self.metadata / names[max(names)]))
        except (DeserializationError, RepositoryError, ValueError, OSError):
            raise TufMetadataUnreadable(f"{self.metadata / names[max(names)]} is no TUF metadata.") from None
        if found.signed.type != role or (role != "timestamp" and found.signed.version != max(names)):
            raise TufMetadataUnreadable(f"{names[max(names)]} holds something else than its name says.")
        return found

    def verified(self, role: Role) -> Metadata[Any]:
        """The newest metadata of a role, with the signatures that the newest root asks for.

        Raises:
            TufRoleMissing, TufDoesNotVerify, TufMetadataUnreadable.
        """
        found, root = self.latest(role), self.latest("root")
        if found is None or root is None:
            raise TufRoleMissing(f"The repository has no {role if root else 'root'} metadata.")
        if not is_signed(root, role, found):
            raise TufDoesNotVerify(f"The {role} metadata is not signed as the newest root asks.")
        return found

    def publish(self, metadata: Metadata[Any]) -> Path:
        """Writes it under its own name."""
        version = "" if metadata.signed.type == "timestamp" else f"{metadata.signed.version}."
        return self.write(self.metadata, f"{version}{metadata.signed.type}.json", metadata.to_bytes())

    def _names(self, role: Role) -> dict[int, str]:
        if role == "timestamp":
            return {1: "timestamp.json"} if (self.metadata / "timestamp.json").exists() else {}
        named = re.compile(rf"([1-9][0-9]{{0,9}})\.{role}\.json")
        return {int(match[1]): match[0] for path in self.metadata.iterdir() if (match := named.fullmatch(path.name))}

    # --- what waits ---

    def staged(self, role: Role) -> Staged | None:
        """What waits for signatures in this role."""
        for path in sorted(self.staging.iterdir()):
            match = _STAGED.fullmatch(path.name)
            if match and match[2] == role:
                return Staged(role, int(match[1]), path, path.read_bytes())
        return None

    def all_staged(self) -> list[Staged]:
        return [found for role in ROLES if (found := self.staged(role))]

    def _drop_published(self) -> None:
        """What was published already, by a command that was cut short right then, waits for nothing."""
        for staged in self.all_staged():
            published = self.latest(staged.role)
            if published is not None and published.signed.version >= staged.version:
                self.unstage(staged)

    def stage(self, role: Role, version: int, payload: bytes) -> Staged:
        path = self.write(self.staging, f"{version}.{role}.signed.json", payload)
        return Staged(role, version, path, payload)

    def signature_path(self, staged: Staged, key: str) -> Path:
        return staged.path.with_name(f"{staged.path.name}.{key}.sig")

    def unstage(self, staged: Staged) -> None:
        """Signatures go first: without their payload they would mean nothing."""
        for path in sorted(self.staging.glob(f"{staged.path.name}.*.sig")):
            path.unlink()
        staged.path.unlink(missing_ok=True)

    # --- files ---

    def write(self, folder: Path, name: str, data: bytes) -> Path:
        path = write_whole(folder, name, data)
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
        return path


def is_signed(root: Metadata[Root], role: Role, metadata: Metadata[Any]) -> bool:
    """Whether enough keys of the role, as this root names them, signed it."""
    return bool(root.signed.get_verification_result(role, metadata.signed_bytes, metadata.signatures).verified)
