"""Who the registry takes us for: what `docker login`, `skopeo login` or a credential helper left on this machine.

Nothing secret is taken from arguments or from the environment; the file's path may be.
Source: docker-config(5) `auths`, `credHelpers`, `credsStore`; containers-auth.json(5).
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from hsmpub.errors import Invalid, Unavailable

_MOST = 1 << 20
_DOCKER, _DOCKER_HOSTS = "https://index.docker.io/v1/", ("docker.io", "index.docker.io")
_HELPER = re.compile(r"[A-Za-z0-9_-]{1,60}")


class LoginUnreadable(Invalid):
    advice = "Log in again with 'docker login' or 'skopeo login', or name the file with --registry-auth."


class HelperFailed(Unavailable):
    advice = "See why the credential helper that the file names fails."


class Login:
    """A user and a secret; neither appears in its repr."""

    def __init__(self, user: bytes, secret: bytes) -> None:
        self._pair = bytearray(user + b":" + secret)

    def header(self) -> bytes:
        """The value of an Authorization header. Source: RFC 7617."""
        return b"Basic " + base64.b64encode(self._pair)

    def wipe(self) -> None:
        self._pair[:] = bytes(len(self._pair))


class _File(msgspec.Struct):
    auths: dict[str, dict[str, Any]] = {}
    cred_helpers: dict[str, str] = msgspec.field(default_factory=dict, name="credHelpers")
    creds_store: str = msgspec.field(default="", name="credsStore")


def find_login(image: str, path: Path | None = None, environ: Mapping[str, str] | None = None) -> Login | None:
    """The login for an image's registry; None: there is none, so the registry is asked as anybody.

    Args:
        path: the file to look into, and into no other.

    Raises:
        LoginUnreadable, HelperFailed.
    """
    environ = os.environ if environ is None else environ
    for one in [path] if path else _usual(environ):
        if path is None and not one.is_file():
            continue
        found = _in_file(image, _read(one), environ)
        if found is not None:
            return found
    return None


def _usual(environ: Mapping[str, str]) -> Iterator[Path]:
    if folder := environ.get("XDG_RUNTIME_DIR"):
        yield Path(folder) / "containers" / "auth.json"
    yield Path(environ.get("DOCKER_CONFIG") or Path(environ.get("HOME", "/")) / ".docker") / "config.json"


def _read(path: Path) -> _File:
    try:
        if path.stat().st_size > _MOST:
            raise LoginUnreadable(f"{path} is too large to be a file of logins.")
        return msgspec.json.decode(path.read_bytes(), type=_File)
    except OSError as e:
        raise LoginUnreadable(f"{path} cannot be read: {e.strerror}.") from None
    except msgspec.MsgspecError:
        raise LoginUnreadable(f"{path} is no file of logins.") from None


def _in_file(image: str, file: _File, environ: Mapping[str, str]) -> Login | None:
    """The entry for the repository, for a folder above it, or for its registry: the nearest one."""
    parts = image.split("/")
    names = ["/".join(parts[:count]) for count in range(len(parts), 0, -1)]
    host = parts[0]
    if host in _DOCKER_HOSTS:
        names.append(_DOCKER)
    names += [f"https://{host}", f"https://{host}/v1/", f"https://{host}/v2/"]
    for name in names:
        if helper := file.cred_helpers.get(name):
            return _ask(helper, name, environ)
        if auth := file.auths.get(name, {}).get("auth"):
            return _decode(auth)
    return (
        _ask(file.creds_store, names[-1] if host.endswith("docker.io") else host, environ) if file.creds_store else None
    )


def _decode(auth: Any) -> Login:
    try:
        user, colon, secret = base64.b64decode(auth, validate=True).partition(b":")
    except (binascii.Error, ValueError, TypeError):
        colon = b""
    if not colon:
        raise LoginUnreadable("A login in the file is not what 'docker login' writes.")
    return Login(user, secret)


def _ask(helper: str, server: str, environ: Mapping[str, str]) -> Login | None:
    """What a credential helper says; None: it knows of no login."""
    if not _HELPER.fullmatch(helper):
        raise LoginUnreadable("The file names a credential helper that has no plain name.")
    try:
        done = subprocess.run([f"docker-credential-{helper}", "get"], input=server.encode(), capture_output=True,
                              timeout=30, check=False, env=dict(environ))  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as e:
        raise HelperFailed(f"The credential helper {helper!r} did not run ({type(e).__name__}).") from None
    if done.returncode:
        return None
    try:
        said = msgspec.json.decode(done.stdout, type=dict[str, str])
        return Login(said["Username"].encode(), said["Secret"].encode())
    except (msgspec.MsgspecError, KeyError):
        raise HelperFailed(f"The credential helper {helper!r} did not answer as one.") from None
