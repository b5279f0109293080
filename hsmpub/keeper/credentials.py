"""Credentials: they enter sealed to the intake key, rest sealed by the HSM, leave sealed to one courier child.

The keeper itself only moves ciphertext; the plaintext is met by one-shot vault processes (hsmpub.hsm).
"""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Collection
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from hsmpub.errors import Broken, Conflict, Invalid
from hsmpub.keeper.durable import read_durable, write_durable
from hsmpub.keeper.unsealing import Unsealing
from hsmpub.model.personal import AskCredential, credential_info
from hsmpub.wire.messages import intake_to_sign

#: A blob may be on its way into a request; none waits that long.
_SETTLED_SECONDS = 600


class CredentialBoxMalformed(Invalid):
    advice = "Seal the credential with 'hsmpub credential seal'."


class CredentialMissing(Conflict):
    advice = "Seal it with 'hsmpub credential seal', then the job goes on by itself."
    retry_is_safe = True


class SealedCredentialAltered(Broken):
    advice = "The sealed credential is not the one in the log. Restore it from a backup or seal it again."


def credential_aad(name: str) -> bytes:
    """What a sealed credential is bound to: its name."""
    return b"hsmpub credential v1 " + name.encode()


class Credentials:
    """Sealed credentials in `keeper/sealed/<sha256>`; which of them lives, the log says."""

    def __init__(self, folder: Path, unsealing: Unsealing, identity: Ed25519PrivateKey) -> None:
        self._folder = folder
        self._unsealing = unsealing
        intake = X25519PrivateKey.generate()
        self._intake_private = intake.private_bytes_raw()
        self.intake_key = intake.public_key().public_bytes_raw()
        self.intake_signature = identity.sign(intake_to_sign(self.intake_key))

    async def seal(self, body: AskCredential) -> str:
        """Moves a credential from its intake box under the HSM's sealing key.

        Returns:
            SHA-256 (hex) of the sealed blob, which is durable.

        Raises:
            CredentialBoxMalformed, Sealed.
        """
        try:
            box = base64.b64decode(body.box, validate=True)
        except (binascii.Error, ValueError):
            raise CredentialBoxMalformed("The sealed credential is not base64.") from None
        sealed = await self._unsealing.signers().seal_secret(
            box,
            private=self._intake_private,
            info=credential_info(body.name),
            aad=credential_aad(body.name),
        )
        return write_durable(self._folder, sealed)

    def forget(self, needed: Collection[str]) -> None:
        """Removes blobs that neither a credential nor an open request needs. needed: their SHA-256, hex."""
        if not self._folder.is_dir():
            return
        for file in self._folder.iterdir():
            if file.name not in needed and file.stat().st_mtime + _SETTLED_SECONDS < time.time():
                file.unlink(missing_ok=True)

    async def lease(self, name: str, sealed_sha256: str, *, to: bytes, info: bytes) -> bytes:
        """The credential, sealed to one child's key.

        Raises:
            SealedCredentialAltered, Sealed.
        """
        sealed = read_durable(self._folder, sealed_sha256)
        if sealed is None:
            raise SealedCredentialAltered(f"The sealed credential {name} is missing or altered.")
        return await self._unsealing.signers().lease_secret(sealed, aad=credential_aad(name), to=to, info=info)
