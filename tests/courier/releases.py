"""Small releases that are built in a moment: real wheels, sdists and tag objects."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

from hsmpub.wire.messages import Job, JobItem

METADATA = "Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nSummary: A test\n\nText\n"


def wheel(name: str, version: str, content: str = "x = 1\n") -> tuple[str, bytes]:
    """File name and bytes of a wheel."""
    stem = f"{name}-{version}"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, text in (
            (f"{name}/__init__.py", content),
            (f"{stem}.dist-info/METADATA", METADATA.format(name=name, version=version)),
            (f"{stem}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"),
            (f"{stem}.dist-info/RECORD", f"{name}/__init__.py,,\n"),
        ):
            archive.writestr(zipfile.ZipInfo(path, (2026, 1, 1, 0, 0, 0)), text)
    return f"{stem}-py3-none-any.whl", buffer.getvalue()


def sdist(name: str, version: str) -> tuple[str, bytes]:
    """File name and bytes of an sdist."""
    stem, buffer = f"{name}-{version}", io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, text in (("PKG-INFO", METADATA.format(name=name, version=version)), ("setup.py", "")):
            info = tarfile.TarInfo(f"{stem}/{path}")
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
    return f"{stem}.tar.gz", gzip.compress(buffer.getvalue(), mtime=0)


def tag(name: str, commit: str, text: str = "Release") -> bytes:
    """Bytes of a tag object, as git hash-object takes them."""
    tagger = "release-manager <release-manager@example.org> 1795000000 +0000"
    return f"object {commit}\ntype commit\ntag {name}\ntagger {tagger}\n\n{text}\n".encode()


def stored(artifacts: Path, data: bytes) -> Path:
    """Puts bytes where the artifact store has them."""
    digest = hashlib.sha256(data).hexdigest()
    path = artifacts / digest[:2] / digest
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def file_item(artifacts: Path, file: tuple[str, bytes]) -> JobItem:
    name, data = file
    stored(artifacts, data)
    return JobItem(name, hashlib.sha256(data).hexdigest(), len(data), state="waiting")


def tag_item(name: str, commit: str, text: str = "Release") -> JobItem:
    content = tag(name, commit, text)
    return JobItem(name, hashlib.sha256(content).hexdigest(), len(content), content, state="waiting")


def job(target: str, kind: str, settings: dict[str, str | bool | int], *items: JobItem, commit: str = "") -> Job:
    return Job("r-1", target, kind, settings, "sdk", "1.0", commit, items)
