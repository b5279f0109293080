"""A person's signature, made by their own ssh-keygen: with a key file, a FIDO key, or a key in an agent."""

from __future__ import annotations

import contextlib
import secrets
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO

from hsmpub.errors import Invalid

_MOST = 64 * 1024


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
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except OSError as e:
        raise NotSigned(f"ssh-keygen cannot be run: {e.strerror}.") from None
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        told = threading.Thread(target=_pass_on, args=(process.stderr,))
        told.start()
        with contextlib.suppress(BrokenPipeError):  # it ended early, and says why
            process.stdin.write(data)
            process.stdin.close()
        signature = process.stdout.read(_MOST)
        told.join()
    if process.returncode != 0 or not signature.startswith(b"-----BEGIN SSH SIGNATURE-----"):
        raise NotSigned(f"ssh-keygen made no signature with {key}.")
    return signature


def _pass_on(source: IO[bytes]) -> None:
    """Lines of ssh-keygen, such as the request to touch a key, as they come; but not that it reads its input."""
    for line in source:
        if not line.startswith(b"Signing data on "):
            sys.stderr.write(line.decode(errors="replace"))
            sys.stderr.flush()


def new_nonce() -> str:
    """What makes a personal request new: 32 hex characters."""
    return secrets.token_hex(16)
