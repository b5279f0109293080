"""A person's signature, made by their own ssh-keygen: with a key file, a FIDO key, or a key in an agent."""

from __future__ import annotations

import secrets
import subprocess
from pathlib import Path

from hsmpub.errors import Invalid


class NotSigned(Invalid):
    advice = "See what ssh-keygen says above; an agent's key is named by its .pub file."


def ssh_sign(data: bytes, *, key: Path, namespace: str, agent: bool = False) -> bytes:
    """An armoured SSHSIG over `data`. Prompts (passphrase, touch) go to the terminal.

    Args:
        key: private key file, or public key file of a key in an agent. agent: insist on the agent.

    Raises:
        NotSigned: ssh-keygen is missing, or did not sign.
    """
    command = ["ssh-keygen", "-Y", "sign", "-n", namespace, "-f", str(key.expanduser())]
    if agent:
        command.append("-U")
    try:
        done = subprocess.run(command, input=data, stdout=subprocess.PIPE, check=False)
    except OSError as e:
        raise NotSigned(f"ssh-keygen cannot be run: {e.strerror}.") from None
    if done.returncode != 0 or not done.stdout.startswith(b"-----BEGIN SSH SIGNATURE-----"):
        raise NotSigned(f"ssh-keygen made no signature with {key}.")
    return done.stdout


def new_nonce() -> str:
    """What makes a personal request new: 32 hex characters."""
    return secrets.token_hex(16)
