"""A wheel or sdist as its registry's upload form describes it.

The form repeats the core metadata from inside the file, as the registry's own clients do.
Sources: core metadata specifications 2.4; the legacy upload API.
"""

from __future__ import annotations

import email.parser
import email.policy
import re
import tarfile
import zipfile
import zlib
from email.message import Message
from pathlib import Path

from hsmpub.errors import Invalid
from hsmpub.targets.index import normal_name

MAX_METADATA_BYTES = 1024 * 1024
_MAX_MEMBERS = 100_000
#: Form fields that differ from the metadata's name in lower case with underscores.
_FIELD_NAMES = {"classifier": "classifiers", "project_url": "project_urls"}


class DistributionMalformed(Invalid):
    advice = "Build the wheel or sdist again with a standard build tool."


_FIELD = re.compile(r"[a-z_]{1,40}")
Fields = list[tuple[str, str]]


def form_fields(path: Path, name: str, sha256: str) -> Fields:
    """The upload form without the file itself.

    Args:
        path: the file's bytes; name: its file name; sha256: its digest, hex.

    Raises:
        DistributionMalformed: neither wheel nor sdist, or its metadata contradicts the name.
    """
    kind, python, stem = _kind_of(name)
    try:
        raw = _wheel_metadata(path) if kind == "bdist_wheel" else _sdist_metadata(path)
    except (OSError, zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, ValueError, NotImplementedError):
        raise DistributionMalformed(f"The archive {name!r} cannot be read.") from None
    metadata = email.parser.BytesParser(policy=email.policy.compat32).parsebytes(raw)
    _check_name(metadata, name, stem)
    return [
        (":action", "file_upload"), ("protocol_version", "1"), ("filetype", kind), ("pyversion", python),
        ("sha256_digest", sha256), *_metadata_fields(metadata),
    ]  # fmt: skip


def project_of(name: str) -> str:
    """The project's normal name, from the name of its file."""
    stem = name.partition("-")[0] if name.endswith(".whl") else name.removesuffix(".tar.gz").rpartition("-")[0]
    return normal_name(stem)


def _kind_of(name: str) -> tuple[str, str, str]:
    """filetype, pyversion, and the `name-version` that the file name promises."""
    if name.endswith(".whl"):
        parts = name.removesuffix(".whl").split("-")
        if len(parts) in (5, 6):
            return "bdist_wheel", parts[-3], "-".join(parts[:2])
    elif name.endswith(".tar.gz") and "-" in name:
        return "sdist", "source", name.removesuffix(".tar.gz")
    raise DistributionMalformed(f"The file {name!r} is neither a wheel nor an sdist by its name.")


def _wheel_metadata(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        names = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA") and n.count("/") == 1]
        if len(names) != 1:
            raise ValueError("not one METADATA")
        with archive.open(names[0]) as member:
            return _capped(member.read(MAX_METADATA_BYTES + 1))


def _sdist_metadata(path: Path) -> bytes:
    with tarfile.open(path, "r:gz") as archive:
        for count, member in enumerate(archive):
            if count > _MAX_MEMBERS:
                break
            if member.isfile() and member.name.count("/") == 1 and member.name.endswith("/PKG-INFO"):
                file = archive.extractfile(member)
                return _capped(file.read(MAX_METADATA_BYTES + 1)) if file else b""
    raise ValueError("no PKG-INFO")


def _capped(data: bytes) -> bytes:
    if len(data) > MAX_METADATA_BYTES:
        raise ValueError("metadata over the cap")
    return data


def _check_name(metadata: Message, filename: str, stem: str) -> None:
    name, version = str(metadata.get("Name", "")), str(metadata.get("Version", ""))
    if not name or not version or not metadata.get("Metadata-Version"):
        raise DistributionMalformed(f"The metadata inside {filename!r} names no project and version.")
    # versions are compared as spelled, apart from the separators that file names replace
    if normal_name(f"{name}-{version}") != normal_name(stem):
        raise DistributionMalformed(f"The metadata inside {filename!r} is of another project or version.")


def _metadata_fields(metadata: Message) -> Fields:
    fields: Fields = []
    for header, value in metadata.items():
        field = header.lower().replace("-", "_")
        if not _FIELD.fullmatch(field):
            continue
        fields.append((_FIELD_NAMES.get(field, field), str(value)))
    body = metadata.get_payload()
    if isinstance(body, str) and body.strip() and not metadata.get("Description"):
        fields.append(("description", body))
    return fields
