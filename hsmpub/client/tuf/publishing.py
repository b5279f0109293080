"""Staged metadata gets its signatures, is verified, and only then published, whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tuf.api.metadata import Metadata
from tuf.api.serialization import DeserializationError

from hsmpub.client.tuf.folder import Folder, Staged, TufMetadataUnreadable, is_signed
from hsmpub.client.tuf.settings import SignedBy, TufSettings
from hsmpub.client.tuf.signer import Asking, TufWaitsForApproval, signature_of
from hsmpub.formats.tuf.metadata import Role

Told = Callable[[str], None]


class Publishing:
    """A locked folder with its settings. told: says what was done and what waits."""

    def __init__(self, folder: Folder, settings: TufSettings, asking: Asking, told: Told) -> None:
        self.folder, self.settings, self.asking, self.told = folder, settings, asking, told

    def sign_and_publish(self, staged: Staged) -> bool:
        """Asks every signer whose signature lacks, until they are enough. Returns: it is published."""
        for by in self._signers(staged.role):
            path = self.folder.signature_path(staged, by.key)
            if path.exists():
                continue
            try:
                output = self.asking.signature(staged.role, staged.path, by)
            except TufWaitsForApproval as e:
                self.told(e.detail)
                continue
            self.folder.write(path.parent, path.name, output)
        metadata = self._signed(staged)
        if not self._is_enough(metadata):
            self.told(f"{staged.role} metadata of version {staged.version} is not signed by enough keys yet.")
            return False
        self.told(str(self.folder.publish(metadata)))
        self.folder.write(self.folder.receipts, staged.path.name, staged.payload)  # what the receipts are about
        self.folder.unstage(staged)
        return True

    def _signers(self, role: Role) -> tuple[SignedBy, ...]:
        table = self.settings.role(role)
        return (*table.signers, *(table.leaving if self.folder.latest("root") else ()))

    def _signed(self, staged: Staged) -> Metadata[Any]:
        try:
            metadata = Metadata[Any](parse_payload(staged.payload))
        except (DeserializationError, ValueError, KeyError, TypeError):
            raise TufMetadataUnreadable(f"{staged.path} is no TUF metadata.") from None
        for by in self._signers(staged.role):
            path = self.folder.signature_path(staged, by.key)
            if path.exists():
                signature = signature_of(path.read_bytes())
                metadata.signatures[signature.keyid] = signature
        return metadata

    def _is_enough(self, metadata: Metadata[Any]) -> bool:
        """A root is signed by its own keys and by those of the root before; all others as the newest root says."""
        root, role = self.folder.latest("root"), metadata.signed.type
        if role != "root":
            return root is not None and is_signed(root, role, metadata)
        return is_signed(metadata, role, metadata) and (root is None or is_signed(root, role, metadata))


def parse_payload(payload: bytes) -> Any:
    """What a payload says, as python-tuf has it."""
    return Metadata[Any].from_bytes(b'{"signatures":[],"signed":' + _plain(payload) + b"}").signed


def _plain(payload: bytes) -> bytes:
    """Canonical JSON as JSON: the line ends of keys in PEM are escaped there."""
    return payload.replace(b"\n", b"\\n")
