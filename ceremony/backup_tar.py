"""The tar file of a backup: its signed manifest, and its files, each of which the manifest names."""

from __future__ import annotations

import hashlib
import re
import tarfile
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidSignature

from ceremony.manifest import LOG, MANIFEST, SIGNATURE, FileFacts, Manifest, manifest_message
from hsmpub.errors import Broken, Forbidden, Invalid
from hsmpub.model.trust import Trust
from hsmpub.transcript.check import check_hex_signature, keeper_public

_NAME = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9._+-]{0,199}/){0,4}[A-Za-z0-9][A-Za-z0-9._+-]{0,199}")
_MAX_MANIFEST = 64 << 20
_CHUNK = 1 << 20
VERSION = 1


class BackupMalformed(Invalid):
    advice = "Give a file that 'hsmpub-ceremony backup' wrote."


class BackupAltered(Broken):
    advice = "Take another copy of the backup: this one was altered or damaged."


class BackupUntrusted(Forbidden):
    advice = "It is the backup of another service, or the pins are: compare trust.json with another participant's."


class BackupOfNewerVersion(Invalid):
    advice = "Use a version of hsmpub that is as new as the one that took the backup; CHANGELOG.md names them."


def check_manifest(tar: tarfile.TarFile, trust: Trust) -> Manifest:
    members = tar.getmembers()
    names = [member.name for member in members]
    if len(set(names)) != len(names) or not all(_NAME.fullmatch(name) for name in names):
        raise BackupMalformed("The backup names a file twice, or not plainly.")
    if not all(member.isreg() for member in members) or names[-2:] != [MANIFEST, SIGNATURE]:
        raise BackupMalformed("The backup holds something else than files, or does not end with its manifest.")
    body, signature = (_small(tar, member) for member in members[-2:])
    check_version(body)
    try:
        check_hex_signature(keeper_public(trust), signature.decode("ascii").removesuffix("\n"), manifest_message(body))
    except (InvalidSignature, ValueError):
        raise BackupUntrusted("The backup's manifest is not signed by the pinned keeper.") from None
    try:
        manifest = msgspec.json.decode(body, type=Manifest)
    except msgspec.MsgspecError:
        raise BackupMalformed("The backup's manifest cannot be read.") from None
    if manifest.service != trust.service:
        raise BackupUntrusted(f"The backup is of the service {manifest.service[:80]!r}.")
    if set(manifest.files) != set(names[:-2]) or LOG not in manifest.files:
        raise BackupAltered("The backup does not hold exactly the files that its manifest names.")
    return manifest


def check_version(body: bytes) -> None:
    """Said before the signature, which a newer version may make in another way; nothing else is read of it."""
    try:
        said = msgspec.json.decode(body, type=_Version).backup
    except msgspec.MsgspecError:
        return  # the signature says what there is to say
    version = re.fullmatch(r"hsmpub backup v([1-9][0-9]{0,5})", said)
    if version is not None and int(version[1]) > VERSION:
        raise BackupOfNewerVersion(f"The backup is of the form {said!r}; this version reads up to v{VERSION}.")


class _Version(msgspec.Struct, frozen=True):
    backup: str


def _small(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    if file is None or member.size > _MAX_MANIFEST:
        raise BackupMalformed("The backup's manifest is too large.")
    return file.read()


def unpack(tar: tarfile.TarFile, name: str, facts: FileFacts, target: Path) -> None:
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
